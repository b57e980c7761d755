/** Which upstream servers are asked last, and for how long. */
import { describe, expect, it } from 'vitest';
import { createSilent, REMEMBERED } from '../../src/dns/silent.js';

const server = (address: string, ns = 'host') => ({ ns, address, port: 53 });
const [one, two, three] = [server('10.0.0.1'), server('10.0.0.2'), server('10.0.0.3')] as const;

describe('silent servers', () => {
  it('N29: are asked last, those silent longest before those silent now, until they speak or time has passed', () => {
    let now = 1000;
    const silent = createSilent(() => now);
    const order = (): readonly string[] => silent.last([one, two, three]).map((each) => each.address);
    expect(order()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    silent.note(one);
    expect(order()).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.1']);
    now += 5;
    silent.note(two);
    expect(order()).toEqual(['10.0.0.3', '10.0.0.1', '10.0.0.2']);
    silent.heard(one);
    expect(order()).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.2']);
    now += REMEMBERED;
    expect(order()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  it('are known by the namespace they are asked from', () => {
    const silent = createSilent(() => 0);
    silent.note(server('10.0.0.1', '/run/a'));
    expect(silent.last([one, two])).toEqual([one, two]);
  });
});

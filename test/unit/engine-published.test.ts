/** Which endpoint carries a published port, and at which address of the host, as networks come together in one container. */
import { describe, expect, test } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import { answersFor, bindingsOf, gateways, type Member } from '../../src/engine/attach/gateways.js';
import { publishAddresses } from '../../src/engine/attach/published.js';
import type { PortBinding } from '../../src/model/port.js';
import { aNetwork, anEndpoint } from '../support/views.js';

const B = 'com.docker.network.bridge';
const member = (
  id: string,
  name: string,
  options: Readonly<Record<string, string>> = {},
  more: { ipv6?: boolean; gwPriority?: number; internal?: boolean } = {},
): Member => {
  const { ipv6 = false, gwPriority = 0, internal = false } = more;
  return {
    driver: bridge,
    network: aNetwork({ name, options, ipv6, internal }),
    endpoint: anEndpoint({ id, gwPriority, ...(ipv6 ? { ipv6: 'fd00:1::2/64' } : {}) }),
  };
};
const at = (members: readonly Member[], hostIp = '0.0.0.0', ipv6 = true) =>
  publishAddresses(members, gateways(members), { hostIp, ipv6 });
const binding = (hostIp: string): PortBinding => ({
  protocol: 'tcp',
  hostIp,
  hostPort: 8080,
  containerPort: 80,
  count: 1,
});

describe('N F9: the host address of published ports', () => {
  const local = (name: string, more = {}) =>
    member('1', name, { [`${B}.host_binding_ipv4`]: '127.0.0.1' }, more);
  test('is that of the network that leads out, whichever was named first', () => {
    const plain = member('2', 'aa', {}, { gwPriority: 1 });
    expect(at([local('lo4'), plain])).toEqual(['0.0.0.0', '::']);
    expect(at([plain, local('lo4')])).toEqual(['0.0.0.0', '::']);
    expect(at([local('lo4', { gwPriority: 9 }), plain])).toEqual(['127.0.0.1']);
    expect(at([local('lo4', { internal: true }), plain])).toEqual(['0.0.0.0', '::']);
  });
  test('is the daemon’s where the network names none, or nothing leads out', () => {
    expect(at([member('1', 'a')], '192.0.2.1')).toEqual(['192.0.2.1']);
    expect(at([member('1', 'a')], '::')).toEqual(['::']);
    expect(at([local('a', { internal: true })])).toEqual(['0.0.0.0', '::']);
    expect(at([], '0.0.0.0', false)).toEqual(['0.0.0.0']);
  });
  test('is each family’s own where two networks lead out', () => {
    const six = member('2', 'six', {}, { ipv6: true });
    expect(at([local('lo4', { gwPriority: 1 }), six])).toEqual(['127.0.0.1', '::']);
  });
});

describe('M10: an endpoint of a routed network', () => {
  const routed = (more = {}) =>
    member(
      '2',
      'routed',
      { [`${B}.gateway_mode_ipv4`]: 'routed', [`${B}.gateway_mode_ipv6`]: 'routed' },
      { ipv6: true, ...more },
    );
  const nat = (more = {}) => member('1', 'nat', {}, { ipv6: true, ...more });
  const wanted = [binding('0.0.0.0'), binding('127.0.0.1'), binding('::')];
  const open = (hostIp: string) => ({ ...binding(hostIp), hostPort: 0 });
  const carried = (one: Member, members: readonly Member[]) => bindingsOf(one, gateways(members), wanted);
  test('opens the ports, though another network leads out', () => {
    const both = [nat({ gwPriority: 1 }), routed()] as const;
    expect(carried(both[0], both)).toEqual(wanted);
    expect(carried(both[1], both)).toEqual([open('0.0.0.0'), open('0.0.0.0'), open('::')]);
  });
  test('answers by the way out, whose port lets its address pass', () => {
    const other = routed();
    const both = [
      nat({ gwPriority: 1 }),
      { ...other, endpoint: { ...other.endpoint, ipv4: '172.19.0.2/16' } },
    ] as const;
    const chosen = gateways(both);
    expect(answersFor(both[0], chosen, both)).toEqual(['172.19.0.2', 'fd00:1::2']);
    expect(answersFor(both[1], chosen, both)).toEqual([]);
    expect(answersFor(both[0], chosen, [both[0], nat()])).toEqual([]);
  });
  test('takes no port of the host where it is the way out', () => {
    const both = [nat(), routed({ gwPriority: 1 })] as const;
    expect(carried(both[0], both)).toEqual([]);
    expect(carried(both[1], both)).toEqual([open('0.0.0.0'), open('0.0.0.0'), open('::')]);
  });
  test('opens one family, and leaves the other to whoever carries it', () => {
    const half = member('2', 'half', { [`${B}.gateway_mode_ipv6`]: 'routed' }, { ipv6: true });
    expect(carried(half, [half])).toEqual([binding('0.0.0.0'), binding('127.0.0.1'), open('::')]);
  });
  test('opens nothing where it is internal', () => {
    const inner = routed({ internal: true });
    expect(carried(inner, [nat(), inner])).toEqual([]);
  });
});

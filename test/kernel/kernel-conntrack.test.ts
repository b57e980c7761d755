/** Flows are forgotten by protocol, original port and address, and no others; a republished UDP port leads anew at once. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { forgetFlows } from '../../src/kernel/conntrack.js';
import type { HostPortObject } from '../../src/plan/objects.js';
import { build, diff, testKernel } from './kernel-support.js';

const conntrack = (...args: string[]): string =>
  execFileSync('conntrack', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const flow = (
  protocol: string,
  to: string,
  port: number,
  from = to.includes(':') ? 'fd00::1' : '10.0.0.1',
): void => {
  const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
  conntrack(
    '-I',
    '-p',
    protocol,
    '-s',
    from,
    '-d',
    to,
    '--sport',
    '4000',
    '--dport',
    `${port}`,
    '-t',
    '300',
    ...state,
  );
};
const list = (): string[] =>
  ['ipv4', 'ipv6'].flatMap((family) =>
    conntrack('-L', '-f', family)
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [, protocol] = /^(\w+)/.exec(line) ?? [];
        const [, to] = /dst=(\S+)/.exec(line) ?? [];
        const [, port] = /dport=(\d+)/.exec(line) ?? [];
        return `${protocol} ${to} ${port}`;
      }),
  );

test('one port, a range, one address', () => {
  for (const port of [53, 100, 101, 102, 103]) flow('udp', '10.0.0.2', port);
  flow('udp', '10.0.0.3', 53);
  flow('tcp', '10.0.0.2', 53);
  flow('udp', 'fd00::2', 53);
  expect(list()).toHaveLength(8);
  expect(forgetFlows({ protocol: 'udp', port: 53, count: 1, address: '10.0.0.2' })).toBe(1);
  expect(list()).not.toContain('udp 10.0.0.2 53');
  expect(list()).toHaveLength(7);
  expect(forgetFlows({ protocol: 'udp', port: 101, count: 2, address: '0.0.0.0' })).toBe(2);
  expect(list()).toEqual(
    expect.arrayContaining(['udp 10.0.0.2 100', 'udp 10.0.0.2 103', 'udp 10.0.0.3 53', 'tcp 10.0.0.2 53']),
  );
  expect(forgetFlows({ protocol: 'udp', port: 53, count: 1 })).toBe(2);
  expect(list().sort()).toEqual(['tcp 10.0.0.2 53', 'udp 10.0.0.2 100', 'udp 10.0.0.2 103']);
  expect(forgetFlows({ protocol: 'udp', port: 53, count: 1 })).toBe(0);
});

test('a plan that moves a UDP port forgets its flows, and leaves those of TCP', async () => {
  const t = testKernel();
  const port = (protocol: 'udp' | 'tcp', n: number): HostPortObject => ({
    kind: 'hostport',
    protocol,
    address: '0.0.0.0',
    port: n,
    count: 1,
    target: { address: '172.18.0.2', port: n },
  });
  flow('udp', '10.0.0.2', 700);
  flow('tcp', '10.0.0.2', 701);
  flow('udp', '10.0.0.2', 702);
  t.kernel.apply(build([port('udp', 700), port('tcp', 701)]));
  expect(list()).not.toContain('udp 10.0.0.2 700');
  expect(list()).toEqual(expect.arrayContaining(['tcp 10.0.0.2 701', 'udp 10.0.0.2 702']));
  flow('udp', '10.0.0.2', 700);
  t.kernel.apply(diff([port('udp', 700)], []));
  expect(list()).not.toContain('udp 10.0.0.2 700');
  await t.end();
});

/** Maps of interfaces that are kept as base chains: one on each port that is there, with its rules, and gone with it. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelError } from '../../src/errors.js';
import { RULESET } from '../../src/firewall/index.js';
import { NETLINK, NetlinkSocket } from '../../src/kernel/netlink.js';
import { createNftables } from '../../src/kernel/nftables/index.js';
import { loadTable } from '../../src/kernel/nftables/load.js';
import type { Nftables } from '../../src/kernel/nftables.contract.js';
import type { ElementObject } from '../../src/plan/objects.js';
import { PORTS, unmarked } from '../support/elements.js';
import { datagram, sendFrame } from '../support/frames.js';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
const nameOf = ({ key }: ElementObject): string => key[0] ?? '';
const peerOf = (element: ElementObject): string => `peer${nameOf(element).slice(-2)}`;
const plug = (element: ElementObject): void => {
  run('ip', 'link', 'add', nameOf(element), 'up', 'type', 'veth', 'peer', 'name', peerOf(element));
  run('ip', 'link', 'set', peerOf(element), 'up');
};
const unplug = (element: ElementObject): string => run('ip', 'link', 'delete', nameOf(element));
const add = (...elements: readonly ElementObject[]) =>
  elements.map((element) => ({ op: 'add' as const, element }));
const remove = (...elements: readonly ElementObject[]) =>
  elements.map((element) => ({ op: 'delete' as const, element }));
const chainOf = (element: ElementObject): string =>
  run('nft', 'list', 'chain', 'netdev', 'viaduct', nameOf(element));

/** Frames that the chains that all ports share have dropped. */
const dropped = (): number =>
  [...run('nft', 'list', 'table', 'netdev', 'viaduct').matchAll(/counter packets (\d+)/g)]
    .map(([, packets]) => Number(packets))
    .reduce((sum, packets) => sum + packets, 0);

/** One that nobody may send arrives at the port; what `ip` sends by itself on a new link is let come first. */
const refusesForged = (element: ElementObject): boolean => {
  const ends = { fromMac: '02:00:00:00:00:99', toMac: '02:00:00:00:00:98', from: '10.9.9.9', to: '10.9.9.8' };
  const before = dropped();
  for (let i = 0; i < FORGED; i++)
    sendFrame('/proc/self/ns/net', peerOf(element), datagram(ends, 53, 'forged'));
  return dropped() - before >= FORGED;
};
const FORGED = 20;

describe('a port’s chain', () => {
  const [guard, router, ipv6] = PORTS as [ElementObject, ElementObject, ElementObject];
  let nftables: Nftables;
  const chains = () => unmarked(nftables.elements()).filter(({ set }) => set === 'guards');

  beforeEach(() => {
    nftables = createNftables();
    nftables.ensure();
    for (const element of PORTS) plug(element);
  });
  afterEach(() => {
    nftables.drop();
    nftables.close();
    for (const element of PORTS)
      try {
        unplug(element);
      } catch {}
  });

  test('comes and goes as an element, and is read back as it was given', () => {
    nftables.apply(add(...PORTS));
    expect(chains()).toEqual(PORTS);
    for (const each of PORTS) expect(nftables.has(each)).toBe(true);
    nftables.apply(remove(router));
    expect(chains()).toEqual(PORTS.filter((each) => each !== router));
    expect(nftables.has(router)).toBe(false);
    nftables.apply(remove(...PORTS));
    expect(chains()).toEqual([]);
  });

  test('has a rule for each family’s address, and none for one without', () => {
    nftables.apply(add(...PORTS));
    expect(chainOf(guard)).toMatch(
      /hook ingress device "veth0123456789a" priority -300.*ip saddr 172\.18\.0\.2 accept.*goto guard comment/s,
    );
    expect(chainOf(guard)).not.toContain('ip6 saddr');
    expect(chainOf(router)).toMatch(/ip saddr 172\.18\.0\.3 accept.*ip6 saddr fd00:1:.*goto guard_router/s);
    expect(chainOf(ipv6)).not.toContain('ip saddr');
  });

  test('that is there is not made twice, and is replaced by one of other values', () => {
    nftables.apply(add(guard));
    nftables.apply(add(guard));
    expect(chainOf(guard).match(/accept comment/g)).toHaveLength(1);
    const other = { ...guard, data: ['guard', '02:42:ac:12:00:02', '172.18.0.9', '-'] };
    nftables.apply(add(other));
    expect(chains()).toEqual([other]);
    expect(chainOf(guard)).not.toContain('172.18.0.2 ');
    nftables.apply([...remove(other), ...add(guard)]);
    expect(chains()).toEqual([guard]);
  });

  test('judges what its port receives', () => {
    nftables.apply(add(guard, router));
    for (const each of [guard, router]) expect(refusesForged(each)).toBe(true);
    expect(refusesForged(ipv6)).toBe(false);
    nftables.apply(remove(guard));
    expect(refusesForged(guard)).toBe(false);
  });

  test('comes with its port or not at all, and nothing else without it', () => {
    unplug(router);
    const sender: ElementObject = {
      kind: 'element',
      family: 'netdev',
      set: 'macs',
      key: ['veth1', '02:42:ac:12:00:02'],
    };
    try {
      nftables.apply(add(sender, guard, router));
      // Newer kernels keep a hook for whoever will have the name.
      plug(router);
      expect(refusesForged(router)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(KernelError);
      expect(chains()).toEqual([]);
      expect(nftables.has(sender)).toBe(false);
    }
  });

  test('that was taken away while its port was there is made anew with a new port', () => {
    nftables.apply(add(...PORTS));
    unplug(guard);
    nftables.apply(remove(guard));
    expect(chains()).toEqual(PORTS.filter((each) => each !== guard));
    plug(guard);
    nftables.apply(add(guard));
    expect(refusesForged(guard)).toBe(true);
  });

  test('outlives its port or not: a new port of the name has one that judges, or is known to have none', () => {
    nftables.apply(add(...PORTS));
    unplug(guard);
    plug(guard);
    expect(nftables.has(guard)).toBe(refusesForged(guard));
    nftables.apply(add(guard));
    expect(nftables.has(guard)).toBe(true);
    expect(refusesForged(guard)).toBe(true);
    expect(chainOf(guard).match(/accept comment/g)).toHaveLength(1);
    expect(chains()).toHaveLength(PORTS.length);
  });

  test('is carried into another version of the table', () => {
    nftables.apply(add(...PORTS));
    nftables.close();
    const table = RULESET.find(({ ports }) => ports);
    if (!table) throw new Error('no table with chains of ports');
    const socket = NetlinkSocket.open(NETLINK.NETFILTER);
    loadTable(socket, { ...table, chains: [...table.chains, { name: 'more', rules: [] }] });
    expect(run('nft', 'list', 'table', 'netdev', 'viaduct')).toContain('chain more');
    socket.close();
    nftables = createNftables();
    expect(chains()).toEqual(PORTS);
    nftables.ensure();
    expect(chains()).toEqual(PORTS);
    const without = { ...table, chains: table.chains.filter(({ name }) => name !== 'guard_router') };
    const another = NetlinkSocket.open(NETLINK.NETFILTER);
    nftables.close();
    loadTable(another, without);
    another.close();
    nftables = createNftables();
    expect(chains()).toEqual(PORTS.filter((each) => each !== router));
  });
});

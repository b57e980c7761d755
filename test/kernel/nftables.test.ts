/** Our nfnetlink encoder against the kernel: static tables, elements of every set, adoption, replacement, speed. */
import { execFileSync } from 'node:child_process';
import { release } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelError } from '../../src/errors.js';
import { ledBy, ledChanges, RULESET } from '../../src/firewall/index.js';
import { NETLINK, NetlinkSocket } from '../../src/kernel/netlink.js';
import { createNftables, foreignDrops } from '../../src/kernel/nftables/index.js';
import { loadTable } from '../../src/kernel/nftables/load.js';
import { carriedElements, observeTable } from '../../src/kernel/nftables/observed.js';
import type { Nftables } from '../../src/kernel/nftables.contract.js';
import { portPair } from '../../src/plan/kinds/published.js';
import { OWN_GROUP } from '../../src/plan/link-objects.js';
import { type ElementObject, objectKey, type PublishedObject } from '../../src/plan/objects.js';
import { SAMPLES, unmarked } from '../support/elements.js';

/** Table flags `owner|persist` came with Linux 6.9; before that our tables carry none, and nobody keeps others from them. */
const [MAJOR = 0, MINOR = 0] = release().split('.').map(Number);
const HAS_OWNERS = MAJOR > 6 || (MAJOR === 6 && MINOR >= 9);

const nft = (...args: string[]): string => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });
const adding = (elements: readonly ElementObject[]) =>
  elements.map((element) => ({ op: 'add' as const, element }));
const deleting = (elements: readonly ElementObject[]) =>
  elements.map((element) => ({ op: 'delete' as const, element }));
const sorted = (elements: readonly ElementObject[]) =>
  [...elements].sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));

const element = (set: string, key: string[], data?: string[]): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key,
  ...(data ? { data } : {}),
});
const published = (port: number, to = '172.18.0.2'): ElementObject =>
  element('publish_any4', ['tcp', String(port)], [to, '80']);

describe('our tables', () => {
  let nftables: Nftables;
  const others: Nftables[] = [];
  const another = () => {
    const made = createNftables();
    others.push(made);
    return made;
  };
  beforeEach(() => {
    nftables = createNftables();
    nftables.ensure();
  });
  afterEach(() => {
    for (const each of others.splice(0)) each.close();
    const last = createNftables();
    nftables.close();
    last.drop();
    last.close();
    expect(nft('list', 'ruleset')).toBe('');
  });

  test('hold an element of every set, and dump it as it was given', () => {
    nftables.apply(adding(SAMPLES));
    const elements = nftables.elements();
    expect(sorted(unmarked(elements))).toEqual(sorted(SAMPLES));
    const guards = ['macs', 'senders4', 'senders6', 'carried4', 'carried6', 'nodes'];
    const marked = elements.filter(({ guard }) => guard).map(({ family, set }) => `${family} ${set}`);
    const bridges = ['icc_off'].map((set) => `bridge ${set}`);
    expect([...new Set(marked)]).toEqual([...guards.map((set) => `netdev ${set}`), ...bridges]);
    for (const each of SAMPLES) expect(nftables.has(each), objectKey(each)).toBe(true);
    nftables.apply(deleting(SAMPLES));
    expect(nftables.elements()).toEqual([]);
    for (const each of SAMPLES) expect(nftables.has(each), objectKey(each)).toBe(false);
  });

  test('have a sample of every set that is filled by elements', () => {
    const declared = RULESET.flatMap(({ family, sets }) =>
      sets.filter(({ learned }) => !learned).map(({ name }) => `${family} ${name}`),
    );
    expect([...new Set(SAMPLES.map((e) => `${e.family} ${e.set}`))].sort()).toEqual(declared.sort());
  });

  test('have a hook for what few need only while somebody needs it', () => {
    const apart = (port: string): ElementObject => ({
      kind: 'element',
      family: 'bridge',
      set: 'icc_off',
      key: [port],
    });
    const hooks = (): boolean => nft('list', 'table', 'bridge', 'viaduct').includes('hook forward');
    expect(hooks()).toBe(false);
    nftables.apply(adding([apart('veth1'), apart('veth2')]));
    expect(hooks()).toBe(true);
    // another daemon of another version of the rules, in one transaction
    nftables.close();
    const bridge = RULESET.find(({ family }) => family === 'bridge');
    const socket = NetlinkSocket.open(NETLINK.NETFILTER);
    if (bridge) loadTable(socket, { ...bridge, chains: [...bridge.chains, { name: 'more', rules: [] }] });
    expect(hooks()).toBe(true);
    socket.close();
    nftables = createNftables();
    nftables.ensure();
    expect(hooks()).toBe(true);
    nftables.apply(adding([apart('veth3')]));
    expect(nft('list', 'chain', 'bridge', 'viaduct', 'icc_guard').match(/goto between/g)).toHaveLength(2);
    nftables.apply(deleting([apart('veth1'), apart('veth2'), apart('veth3')]));
    nftables.ensure();
    expect(hooks()).toBe(false);
    nftables.apply(adding([apart('veth4')]));
    expect(hooks()).toBe(true);
  });

  test.each([
    ['vxlan', 'foreign_bridges'],
    ['foreign_bridges', 'vxlan'],
  ])('have one that needs two sets only while both have elements: %s, then %s', (first, second) => {
    const keys: Readonly<Record<string, string>> = { vxlan: '4789', foreign_bridges: 'br0' };
    const of = (set: string): ElementObject => element(set, [keys[set] ?? '']);
    const hooks = (): boolean => nft('list', 'table', 'inet', 'viaduct').includes('chain foreign_guard');
    nftables.apply(adding([of(first)]));
    expect(hooks()).toBe(false);
    nftables.apply(adding([of(second)]));
    expect(hooks()).toBe(true);
    nftables.apply(deleting([of(first)]));
    nftables.ensure();
    expect(hooks()).toBe(false);
    nftables.apply(adding([of(first)]));
    expect(hooks()).toBe(true);
  });

  test('take for a container’s what comes by a bridge, ours by its link group or another by its name', () => {
    const [HERE, HOST, CONTAINER] = ['10.77.0.1', '192.0.2.9', 'viaduct-forger'];
    const dropped = (chain: string): boolean =>
      /counter packets [1-9]/.test(nft('list', 'chain', 'inet', 'viaduct', chain));
    const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
    ip('netns', 'add', CONTAINER);
    try {
      ip('link', 'add', 'br0', 'type', 'bridge');
      ip('link', 'add', 'port0', 'master', 'br0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', CONTAINER);
      for (const link of ['br0', 'port0']) ip('link', 'set', link, 'up');
      ip('address', 'add', `${HERE}/24`, 'dev', 'br0');
      ip('route', 'add', `${HOST}/32`, 'dev', 'br0');
      ip('-n', CONTAINER, 'address', 'add', `${HOST}/32`, 'dev', 'eth0');
      ip('-n', CONTAINER, 'link', 'set', 'eth0', 'up');
      ip('-n', CONTAINER, 'route', 'add', '10.77.0.0/24', 'dev', 'eth0');
      const forge = (): void =>
        void execFileSync('ip', [
          ...['netns', 'exec', CONTAINER, 'sh', '-c'],
          `echo forged | socat -u - UDP:${HERE}:4789; ping -c1 -W1 ${HERE} >/dev/null`,
        ]);
      nftables.apply(
        adding([
          element('vxlan', ['4789']),
          element('vxlan_ways4', [HOST, HERE, '4789']),
          element('bridges', ['br0']),
        ]),
      );
      forge();
      expect(dropped('vxlan_guard')).toBe(false);
      nftables.apply(adding([element('foreign_bridges', ['br0'])]));
      forge();
      expect(dropped('foreign_guard')).toBe(true);
      nftables.apply(deleting([element('foreign_bridges', ['br0'])]));
      ip('link', 'set', 'br0', 'group', String(OWN_GROUP));
      forge();
      expect(dropped('vxlan_guard')).toBe(true);
    } finally {
      ip('link', 'delete', 'br0');
      ip('netns', 'delete', CONTAINER);
    }
  });

  test('are read by nft', () => {
    nftables.apply(
      adding([
        published(8080),
        element('publish_any_range4', ['udp', '20000-29999'], ['172.18.0.3']),
        element('from', ['ipv4', 'br-a'], ['goto from_internal']),
      ]),
    );
    const text = nft('list', 'table', 'inet', 'viaduct').replaceAll(/\s+/g, ' ');
    expect(text).toContain('elements = { tcp . 8080 : 172.18.0.2 . 80 }');
    expect(text).toContain('elements = { udp . 20000-29999 : 172.18.0.3 }');
    expect(text).toContain('elements = { ipv4 . "br-a" : goto from_internal }');
    expect(text).toContain('chain forward { type filter hook forward priority filter; policy accept;');
  });

  test('take what is there already and let go what is not', () => {
    nftables.apply(adding([published(1), published(2)]));
    nftables.apply(adding([published(2), published(3)]));
    nftables.apply(deleting([published(9), published(1)]));
    expect(sorted(nftables.elements())).toEqual([published(2), published(3)]);
  });

  test('give a key new data in one batch', () => {
    nftables.apply(adding([published(1)]));
    nftables.apply(adding([published(1, '172.18.0.9')]));
    expect(nftables.elements()).toEqual([published(1, '172.18.0.9')]);
    nftables.apply([...deleting([published(1)]), ...adding([published(1, '172.18.0.7')])]);
    expect(nftables.elements()).toEqual([published(1, '172.18.0.7')]);
    expect(nftables.has(published(1))).toBe(false);
  });

  test('change all or nothing', () => {
    const overlapping = element('publish_any_range4', ['tcp', '150-250'], ['172.18.0.3']);
    nftables.apply(adding([element('publish_any_range4', ['tcp', '100-200'], ['172.18.0.2'])]));
    const before = nftables.elements();
    expect(() => nftables.apply(adding([published(1), overlapping]))).toThrow(KernelError);
    expect(nftables.elements()).toEqual(before);
  });

  test.runIf(HAS_OWNERS)('survive a foreign flush and their owner’s death, and are adopted', () => {
    nftables.apply(adding([published(1)]));
    nft('flush', 'ruleset');
    expect(nftables.elements()).toEqual([published(1)]);
    nftables.close();
    const next = another();
    next.ensure();
    expect(next.elements()).toEqual([published(1)]);
    nft('flush', 'ruleset');
    next.apply(adding([published(2)]));
    expect(sorted(next.elements())).toEqual([published(1), published(2)]);
  });

  test.runIf(HAS_OWNERS)('are left alone by a second daemon while the first lives', () => {
    expect(() => another().ensure()).toThrow(/belongs to another running process/);
    nftables.apply(adding([published(1)]));
    nftables.close();
  });

  test('of another version are replaced with their elements', () => {
    const [inet] = RULESET;
    if (!inet) throw new Error('no ruleset');
    nftables.apply(adding([published(1), element('from', ['ipv4', 'br-a'], ['goto from_internal'])]));
    nftables.close();
    const chains = inet.chains.filter(({ name }) => name !== 'from_isolated');
    const sets = inet.sets.map((set) => (set.name === 'routed4' ? { ...set, key: ['mark'] as const } : set));
    const rules = chains.map((chain) => ({
      ...chain,
      rules: chain.rules.filter((rule) => !JSON.stringify(rule).includes('"routed4"')),
    }));
    const socket = NetlinkSocket.open(NETLINK.NETFILTER);
    loadTable(socket, { ...inet, chains: rules, sets });
    expect(nft('list', 'ruleset')).not.toContain('from_isolated');
    expect(carriedElements(socket, inet)).toHaveLength(2);
    socket.close();
    nftables = createNftables();
    nftables.ensure();
    expect(nft('list', 'ruleset')).toContain('chain from_isolated');
    expect(nftables.elements()).toHaveLength(2);
  });

  test.runIf(!HAS_OWNERS)('without owners come back whole after a foreign flush, and are adopted', () => {
    nftables.apply(adding([published(1)]));
    nft('flush', 'ruleset');
    expect(nft('list', 'tables')).toBe('');
    nftables.ensure();
    expect(nft('list', 'ruleset')).toContain('chain publish_one');
    nftables.apply(adding([published(1)]));
    nftables.close();
    const next = another();
    next.ensure();
    expect(next.elements()).toEqual([published(1)]);
    next.close();
  });

  test('carry both flags where the kernel has them', () => {
    const socket = NetlinkSocket.open(NETLINK.NETFILTER);
    const [inet] = RULESET;
    expect(inet && observeTable(socket, inet)).toMatchObject(
      HAS_OWNERS ? { flags: 6, owner: expect.any(Number) } : { flags: 0 },
    );
    socket.close();
  });

  test('are made where another program’s table of our name without owner stands', () => {
    nftables.close();
    const last = another();
    last.drop();
    nft('add', 'table', 'inet', 'viaduct');
    last.ensure();
    expect(last.elements()).toEqual([]);
    expect(nft('list', 'ruleset')).toContain('chain publish_one');
  });

  test('know which chains of others let nothing through', () => {
    expect(foreignDrops()).toEqual([]);
    nft('add', 'table', 'ip', 'filter');
    nft('add', 'chain', 'ip', 'filter', 'FORWARD', '{ type filter hook forward priority 0; policy drop; }');
    nft('add', 'chain', 'ip', 'filter', 'INPUT', '{ type filter hook input priority 0; policy drop; }');
    nft('add', 'table', 'inet', 'fine');
    nft('add', 'chain', 'inet', 'fine', 'f', '{ type filter hook forward priority 1; policy accept; }');
    expect(foreignDrops()).toEqual([{ family: 'ip', table: 'filter', chain: 'FORWARD' }]);
    nft('delete', 'table', 'ip', 'filter');
    nft('delete', 'table', 'inet', 'fine');
  });

  test('I12: many ports in no order are read back as the object that they were written for', () => {
    const pairs = Array.from({ length: 200 }, (_, i) => portPair(20_000 + i, 1 + ((i * 7919) % 200)));
    const place = { set: 'publish4', protocol: 'tcp', address: '127.0.0.1', to: '172.18.0.2' } as const;
    const many: PublishedObject = { kind: 'published', family: 'inet', ...place, pairs };
    nftables.apply(ledChanges(undefined, many));
    expect(ledBy(nftables.elements())).toEqual([many]);
    const fewer = { ...many, pairs: pairs.filter((_, i) => i % 3 > 0) };
    nftables.apply(ledChanges(many, fewer));
    expect(ledBy(nftables.elements())).toEqual([fewer]);
    nftables.apply(ledChanges(fewer, undefined));
    expect(nftables.elements()).toEqual([]);
  });

  test('take 10,000 ports in one batch and give them back', () => {
    const ports = Array.from({ length: 10_000 }, (_, i) => published(20_000 + i));
    nftables.apply(adding(ports));
    expect(nftables.elements()).toHaveLength(10_000);
    nftables.apply(deleting(ports));
    expect(nftables.elements()).toEqual([]);
  });
});

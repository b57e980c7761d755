/** D8: what is wrong on the way to another host is found by few packets, and told by name with its remedy. */
import { afterEach, describe, expect, it } from 'vitest';
import { nextOf, type PathCheck, type PathSettings, startPathCheck } from '../../src/cluster/path/index.js';
import { judge, type Seen } from '../../src/cluster/path/judge.js';
import type { Way } from '../../src/engine/cluster.js';
import { wayTo } from '../../src/engine/cluster-side.js';
import { Model } from '../../src/engine/commit/model.js';
import { type Change, put } from '../../src/engine/commit/tables.js';
import type { Vtep } from '../../src/model/peer.js';
import { aBalancer, anEndpoint, anOverlay, aPeer, aSandbox } from '../support/views.js';

const WAY: Way = {
  ...{ hostName: 'host2', network: 'net', address: '192.0.2.2', mtu: 1450, port: 4789 },
  ...{ netns: '/run/netns/one', to: '10.0.0.3' },
};
const SEALED: Way = { ...WAY, mtu: 1370, port: 4790, tunnelPort: 51_820, key: 'K' };
const WELL: Seen = { small: true, host: true, largest: 1450, tcp: true, gossip: true, agreed: undefined };

describe('D8: what is wrong, in words', () => {
  it('nothing, where all comes back', () => {
    expect(judge(WAY, WELL)).toBeUndefined();
    expect(judge(SEALED, { ...WELL, largest: 1370, agreed: 10 })).toBeUndefined();
  });
  it.each([
    ['VXLAN’s port', WAY, { small: false }, ['host2 (192.0.2.2)', 'network net', 'UDP port 4789']],
    ['nothing at all', WAY, { small: false, host: false }, ['nor does the host answer', 'UDP port 4789']],
    ['WireGuard’s port', SEALED, { small: false }, ['UDP port 51820', 'another key']],
    ['old keys', SEALED, { small: false, agreed: 1_000 }, ['UDP port 51820', 'another key']],
    [
      'behind WireGuard',
      SEALED,
      { small: false, agreed: 10 },
      ['agreed on keys with it 10 seconds ago', 'UDP port 51820'],
    ],
    ['a narrow path', WAY, { largest: 1350 }, ['more than 1350 bytes', 'raise it by 100', 'driver.mtu=1350']],
    ['checksums', WAY, { tcp: false }, ['answer ping and no TCP', 'ethtool -K INTERFACE']],
    ['Serf’s port', WAY, { gossip: false }, ['TCP and UDP port 7946']],
  ] as const)('%s', (_, way, seen, words) => {
    const said = judge(way, { ...WELL, ...seen });
    for (const word of words) expect(said).toContain(word);
  });
});

describe('D8: whose turn it is', () => {
  const at = (time: number, said?: string, told = false) => ({ at: time, said, told });
  it('is a new host’s, then one’s whose fault is to be seen again, then the oldest’s, one a minute', () => {
    const known = new Map([
      ['a', at(0)],
      ['b', at(50_000)],
    ]);
    expect(nextOf(['a', 'b', 'c'], known, 50_000)).toBe('c');
    expect(nextOf(['a', 'b'], known, 60_000)).toBeUndefined();
    expect(nextOf(['a', 'b'], known, 110_000)).toBe('a');
    expect(nextOf(['a', 'b'], new Map([...known, ['b', at(50_000, 'closed')]]), 50_001)).toBe('b');
    expect(
      nextOf(['a', 'b'], new Map([...known, ['b', at(50_000, 'closed', true)]]), 60_000),
    ).toBeUndefined();
    expect(nextOf(['a', 'b'], new Map([...known, ['b', at(50_000, 'closed', true)]]), 80_000)).toBe('b');
    expect(nextOf([], known, 1e9)).toBeUndefined();
  });
  it('comes to each of a thousand, with one look a minute', () => {
    const hosts = Array.from({ length: 1_000 }, (_, n) => `h${n}`);
    const known = new Map(hosts.map((id) => [id, at(0)]));
    const seen = new Set<string>();
    for (let now = 60_000; now < 1_100 * 60_000; now += 5_000) {
      const id = nextOf(hosts, known, now);
      if (id === undefined) continue;
      seen.add(id);
      known.set(id, at(now));
    }
    expect(seen.size).toBe(1_000);
  });
});

describe('D8: the check', () => {
  let running: PathCheck | undefined;
  afterEach(() => running?.close());
  const begin = (probe: NonNullable<PathSettings['probe']>, way: () => Way | undefined = () => WAY) => {
    const said: string[] = [];
    const say = (_: object, text: string): void => void said.push(text);
    let clock = 0;
    const check = startPathCheck({
      side: {
        vteps: () => [
          { id: 'own', name: 'host1', address: '192.0.2.1', own: true },
          { id: 'other', name: 'host2', address: '192.0.2.2', own: false },
        ],
        wayTo: (id) => (id === 'other' ? way() : undefined),
      },
      log: { debug() {}, info: say, warn: say, error: say },
      probe,
      now: () => {
        clock += 61_000;
        return clock;
      },
      every: 1,
    });
    running = check;
    return { check, said };
  };
  const until = async (what: () => boolean): Promise<void> => {
    for (let n = 0; n < 500 && !what(); n += 1) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(what()).toBe(true);
  };

  it('tells a fault that is seen twice, once in the log, and takes it back', async () => {
    let small = false;
    let looks = 0;
    const { check, said } = begin(async () => {
      looks += 1;
      return { ...WELL, small };
    });
    await until(() => check.warnings().length === 1);
    expect(looks).toBeGreaterThan(1);
    const more = looks + 3;
    await until(() => looks > more);
    expect(said).toEqual(check.warnings());
    small = true;
    await until(() => check.warnings().length === 0);
    expect(said.at(-1)).toBe('what containers send there comes back again');
  });

  it('says nothing of what is seen once, nor of a container that has gone meanwhile', async () => {
    let looks = 0;
    const once = begin(async () => {
      looks += 1;
      return { ...WELL, small: looks !== 1 };
    });
    await until(() => looks > 4);
    expect([once.check.warnings(), once.said]).toEqual([[], []]);
    await once.check.close();
    let to = 0;
    const moving = begin(
      async () => ({ ...WELL, small: false }),
      () => {
        to += 1;
        return { ...WAY, to: `10.0.0.${to % 250}` };
      },
    );
    await until(() => to > 20);
    expect(moving.check.warnings()).toEqual([]);
  });

  it('goes on where a program is missing, and says so once', async () => {
    let looks = 0;
    const { check, said } = begin(async () => {
      looks += 1;
      throw new Error('ping: not found');
    });
    await until(() => looks > 3);
    expect(check.warnings()).toEqual([]);
    expect(said).toEqual(['whether packets reach other hosts is not looked at']);
  });
});

describe('D8: which way is looked at', () => {
  const network = anOverlay();
  const ingress = anOverlay({ id: 'feed', name: 'ingress', ingress: true });
  const other: Vtep = { id: 'node2', name: 'two', address: '192.0.2.3', own: false };
  const endpoint = anEndpoint({ networkId: network.id });
  const records = (...changes: readonly Change[]): Model => {
    const model = new Model();
    for (const change of [put('vtep', other), ...changes]) model.change(change);
    return model;
  };
  const task = { ...aPeer().endpoints[0], id: 't5', containerId: 't5', ipv4: '172.18.1.5/16' } as never;
  const peerOn = (on: typeof network, ...endpoints: readonly never[]): Change =>
    put('peer', aPeer({ id: `${on.id}/node2`, networkId: on.id, node: 'node2', endpoints }));

  it('between containers of both; not to a task that does not run yet', () => {
    const here = [put('network', network), put('sandbox', aSandbox()), put('endpoint', endpoint)];
    expect(wayTo({ model: records(...here) }, 'node2')).toBeUndefined();
    const pending = records(...here, peerOn(network, task));
    expect(wayTo({ model: pending }, 'node2')).toBeUndefined();
    pending.change(put('balancer', aBalancer([5])));
    expect(wayTo({ model: pending }, 'node2')).toMatchObject({ to: '172.18.1.5', netns: aSandbox().netns });
  });

  it('on the ingress network from the host itself, as its containers never speak with each other', () => {
    const model = records(put('network', ingress), peerOn(ingress, task));
    expect(wayTo({ model }, 'node2')).toBeUndefined();
    const ports = [{ protocol: 'tcp', publishedPort: 80, targetPort: 80 }] as const;
    model.change(put('balancer', aBalancer([5], { id: `${ingress.id}/s`, networkId: ingress.id, ports })));
    expect(wayTo({ model }, 'node2')).toMatchObject({ to: '172.18.1.5', netns: '/proc/self/ns/net' });
  });
});

/**
 * Two containers of a network that has shortcuts past its bridge (`viaduct.fastpath`, ADR 39), in turn with two of a network of the same
 * daemon that has none, with br_netfilter off and on: how many times faster the first ones are, round by round.
 */
import type { World } from '../../test/support/world.js';
import { type Bench, containerBody, containerPid, type Figure, idOf, startContainer } from '../bench.js';
import type { Engine } from '../engine.js';
import {
  addressIn,
  type Duration,
  type Kind,
  makeReady,
  measureTraffic,
  type Routes,
  type Subject,
} from '../load/traffic.js';
import { setBridgeNetfilter } from '../plain.js';
import { least, type Row } from '../row.js';

const WAYS = ['to a neighbour'] as const;
type Way = (typeof WAYS)[number];
type Maker = `${'past' | 'by'} the bridge, br_netfilter ${'off' | 'on'}`;

/** `always`, or the daemon would look each time first whether br_netfilter is off again. */
const NETWORKS = [
  { path: 'past', options: { 'viaduct.fastpath': 'always' } },
  { path: 'by', options: {} },
] as const;
const FILTERED = ['off', 'on'] as const;
const KINDS: readonly { readonly kind: Kind; readonly better: Row['better'] }[] = [
  { kind: 'round trip', better: 'less' },
  { kind: 'connections', better: 'more' },
  { kind: 'throughput', better: 'more' },
];

const neighboursOn = async (engine: Engine, name: string, options: object): Promise<Routes<Way>> => {
  const body = JSON.stringify({ Name: name, Driver: 'bridge', Options: options });
  idOf((await engine.api('POST', '/networks/create', body)).json);
  const start = async (): Promise<string> => {
    const { id } = await startContainer(engine, containerBody(name));
    return `/proc/${await containerPid(engine, id)}/ns/net`;
  };
  const [from, to] = [await start(), await start()];
  return { 'to a neighbour': { from, to, address: await addressIn(to) } };
};

const filtered = (
  subject: Subject<string, Way>,
  path: (typeof NETWORKS)[number]['path'],
  way: (typeof FILTERED)[number],
  world: World,
): Subject<Maker, Way> => {
  const set = (): Promise<void> => setBridgeNetfilter(world, way === 'on');
  return {
    ...subject,
    name: `${path} the bridge, br_netfilter ${way}`,
    throughput: (...args) => set().then(() => subject.throughput(...args)),
    roundTrip: (...args) => set().then(() => subject.roundTrip(...args)),
    connections: (...args) => set().then(() => subject.connections(...args)),
  };
};

/** Seconds: of all rounds; of one stream, one series of round trips and one of connections. */
const SECONDS: Readonly<Record<'full' | 'quick', Duration>> = {
  full: { total: 45, stream: 0.3, roundTrip: 0.1, connections: 0.3 },
  quick: { total: 12, stream: 0.2, roundTrip: 0.05, connections: 0.2 },
};

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const engine = bench.engines.find(({ name }) => name === 'viaduct');
  if (!engine) return [];
  const ready: Subject<string, Way>[] = [];
  try {
    const subjects: Subject<Maker, Way>[] = [];
    for (const { path, options } of NETWORKS) {
      const subject = await makeReady(path, await neighboursOn(engine, `measured-${path}`, options));
      ready.push(subject);
      subjects.push(...FILTERED.map((way) => filtered(subject, path, way, engine.world)));
    }
    bench.say('neighbours past the bridge and by it');
    const values = await measureTraffic(subjects, WAYS, SECONDS[bench.quick ? 'quick' : 'full']);
    return FILTERED.flatMap((way) =>
      KINDS.map(({ kind, better }): Row => {
        const [past, by] = NETWORKS.map(({ path }) =>
          values.get(`${path} the bridge, br_netfilter ${way}`, WAYS[0], kind),
        );
        const times = (past ?? []).map((ours, round) => {
          const theirs = by?.[round] ?? Number.NaN;
          return better === 'less' ? theirs / ours : ours / theirs;
        });
        return {
          title: `viaduct.fastpath, br_netfilter ${way}: ${kind}`,
          unit: '×',
          better: 'more',
          ...(kind === 'round trip' ? { target: least(1.05) } : {}),
          samples: { viaduct: times, dockerd: [] },
          note: 'how many times better than by the bridge of the same daemon, in turn; two processes on two processors, over TCP',
        };
      }),
    );
  } finally {
    for (const { stop } of ready) stop();
    await setBridgeNetfilter(engine.world, false);
    await engine.clear();
  }
};

export const fastpath: Figure = {
  name: 'fastpath',
  about: 'containers of one network past its bridge, beside by it',
  measure,
};

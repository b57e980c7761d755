/**
 * Ranges of published ports: how much longer create + start and `rm -f` take than without ports, and what the range
 * costs in processes and memory while it stands. dockerd gets the 500 ports once (it takes 10 s and more each way).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Bench,
  containerBody,
  type Figure,
  portRange,
  removeContainer,
  Samples,
  scatteredPorts,
  startContainer,
} from '../bench.js';
import type { Engine } from '../engine.js';
import { type Footprint, footprint } from '../processes.js';
import { most, type Row } from '../row.js';
import { median } from '../statistics.js';

const FIRST = 20_000;
/** for the daemon's garbage collector and the kernel's deferred work */
const REST_MS = { full: 3_000, quick: 1_000 } as const;

interface Visit {
  readonly publishMs: number;
  readonly removeMs: number;
  readonly held: Footprint;
}

/** One container with these ports: started, looked at, removed. */
const visit = async (engine: Engine, body: string, restMs: number): Promise<Visit> => {
  const { id, createMs, startMs } = await startContainer(engine, body);
  await sleep(restMs);
  const held = footprint(engine.processes());
  const removeMs = await removeContainer(engine, id);
  await sleep(restMs / 2);
  return { publishMs: createMs + startMs, removeMs, held };
};

interface Kind {
  readonly key: string;
  readonly title: string;
  readonly body: string;
  readonly target?: number;
}

const KINDS: readonly Kind[] = [
  { key: '500', title: '500-port range', body: containerBody('bridge', portRange(FIRST, 500)), target: 60 },
  {
    key: '10000',
    title: '10,000-port range',
    body: containerBody('bridge', portRange(FIRST, 10_000)),
    target: 200,
  },
  {
    key: 'scattered',
    title: '10,000 ports in no order',
    body: containerBody('bridge', scatteredPorts(FIRST, 10_000)),
  },
];
const NONE = containerBody('bridge');

type Series = Samples<string>;

/** The difference that `kind` makes to a container without ports measured just before. */
const compare = async (engine: Engine, { key, body }: Kind, restMs: number, into: Series): Promise<void> => {
  const plain = [
    await visit(engine, NONE, restMs),
    await visit(engine, NONE, 100),
    await visit(engine, NONE, 100),
  ];
  const ranged = await visit(engine, body, restMs);
  const first = plain[0];
  if (!first) return;
  const add = (name: string, value: number) => into.add(`${name} ${key}`, engine.name, value);
  add('publish', ranged.publishMs - median(plain.map((p) => p.publishMs)));
  add('remove', ranged.removeMs - median(plain.map((p) => p.removeMs)));
  add('processes', ranged.held.processes - first.held.processes);
  add('pss', ranged.held.pss - first.held.pss);
  add('rss', ranged.held.rss - first.held.rss);
  add('slab', ranged.held.slab - first.held.slab);
};

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples: Series = new Samples();
  for (const engine of bench.engines) await visit(engine, NONE, 100);
  for (let round = 0; round < bench.rounds(5, 2); round += 1)
    for (const engine of bench.engines)
      for (const kind of KINDS) {
        if (engine.name === 'dockerd' && (bench.quick || round > 0 || kind.key !== '500')) continue;
        bench.say(`${engine.name}: ${kind.title}`);
        await compare(engine, kind, bench.quick ? REST_MS.quick : REST_MS.full, samples);
      }
  const row = (title: string, key: string, unit: Row['unit'], more: Partial<Row> = {}): Row => ({
    title,
    unit,
    better: 'less',
    samples: samples.get(key),
    ...more,
  });
  const once = {
    note: bench.quick
      ? 'not measured on dockerd by --quick (a minute)'
      : 'one round on dockerd (10 s and more each way)',
  };
  return KINDS.flatMap(({ key, title, target }) => {
    const bound = target === undefined ? {} : { target: most(target) };
    const free = target === undefined ? {} : { target: most(0) };
    const light = target === undefined ? {} : { target: most(20) };
    const note = key === '500' ? once : { note: 'not measured on dockerd (20,000 proxies)' };
    return [
      row(`${title} published, more than none`, `publish ${key}`, 'ms', { ...bound, ...note }),
      row(`${title} removed, more than none`, `remove ${key}`, 'ms', { ...bound, ...note }),
      row(`${title}: processes more than none`, `processes ${key}`, 'processes', { ...free, ...note }),
      row(`${title}: memory (PSS) more than none`, `pss ${key}`, 'MB', { ...light, ...note }),
      row(`${title}: memory (RSS) more than none`, `rss ${key}`, 'MB', note),
      row(`${title}: kernel slab more than none`, `slab ${key}`, 'MB', {
        note: 'kernel slab is that of the whole machine, so other work shows in it',
      }),
    ];
  });
};

export const ranges: Figure = {
  name: 'ranges',
  about: '500 and 10,000 ports published and removed, processes, memory',
  measure,
};

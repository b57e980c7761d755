/** What a node of a swarm costs that has nothing to do: processor over a minute and memory of the daemon, etcd and Serf; beside a daemon in no swarm. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, type Figure, Samples } from '../bench.js';
import type { Engine } from '../engine.js';
import { footprint, processorMs, programOf } from '../processes.js';
import type { Row } from '../row.js';
import { type Swarm, withSwarms } from '../swarm.js';

const PARTS = ['daemon', 'etcd', 'serf'] as const;
type Part = (typeof PARTS)[number];

/** Everything that is not one of the programs beside it is the daemon: dockerd's containerd too. */
const partOf = (pid: number): Part => {
  const name = programOf(pid);
  return name === 'etcd' || name === 'serf' ? name : 'daemon';
};

const pidsOf = (engine: Engine): Readonly<Record<Part, readonly number[]>> => {
  const all = engine.processes();
  const of = (part: Part): readonly number[] => all.filter((pid) => partOf(pid) === part);
  return { daemon: of('daemon'), etcd: of('etcd'), serf: of('serf') };
};

type Series = `${string}: ${Part | 'all'} ${'processor' | 'memory'}`;

/** What begins with a swarm (first sessions, first checks of paths) is over by then. */
const SETTLE_MS = { full: 20_000, quick: 3_000 } as const;
const SPAN_MS = { full: 60_000, quick: 10_000 } as const;

/** All of them during the same minute. */
const observe = async (
  bench: Bench,
  samples: Samples<Series>,
  watched: readonly { readonly who: string; readonly engine: Engine }[],
): Promise<void> => {
  const span = SPAN_MS[bench.quick ? 'quick' : 'full'];
  const found = watched.map(({ who, engine }) => ({ who, engine, pids: pidsOf(engine) }));
  const before = found.map(({ pids }) => PARTS.map((part) => processorMs(pids[part])));
  const began = performance.now();
  await sleep(span);
  const seconds = (performance.now() - began) / 1000;
  for (const [at, { who, engine, pids }] of found.entries()) {
    let [processor, memory] = [0, 0];
    for (const [n, part] of PARTS.entries()) {
      if (pids[part].length === 0) continue;
      const rate = (processorMs(pids[part]) - (before[at]?.[n] ?? 0)) / seconds;
      const { pss } = footprint(pids[part]);
      samples.add(`${who}: ${part} processor`, engine.name, rate);
      samples.add(`${who}: ${part} memory`, engine.name, pss);
      processor += rate;
      memory += pss;
    }
    samples.add(`${who}: all processor`, engine.name, processor);
    samples.add(`${who}: all memory`, engine.name, memory);
  }
};

const WHO = ['manager', 'worker', 'in no swarm'] as const;

const nodesOf = ({ nodes }: Swarm): readonly { readonly who: string; readonly engine: Engine }[] =>
  nodes.map((engine, at) => ({ who: at === 0 ? 'manager' : 'worker', engine }));

const measure = (bench: Bench): Promise<readonly Row[]> =>
  withSwarms(bench, 3, async (swarms) => {
    const alone: Engine[] = [];
    try {
      for (const { name } of swarms) alone.push(await bench.start(name));
      const samples = new Samples<Series>();
      await sleep(SETTLE_MS[bench.quick ? 'quick' : 'full']);
      await observe(bench, samples, [
        ...swarms.flatMap(nodesOf),
        ...alone.map((engine) => ({ who: 'in no swarm', engine })),
      ]);
      return WHO.flatMap((who) =>
        (['all', ...PARTS] as const).flatMap((part) =>
          (['processor', 'memory'] as const).map(
            (what): Row => ({
              title: `${part === 'all' ? `idle, ${who}` : `… its ${part}`}: ${what}`,
              unit: what === 'processor' ? 'ms/s' : 'MB',
              better: 'less',
              samples: samples.get(`${who}: ${part} ${what}`),
              note: `no containers; ${SPAN_MS[bench.quick ? 'quick' : 'full'] / 1000} s of three nodes, one of them the manager; memory is PSS`,
            }),
          ),
        ),
      ).filter(({ samples: { viaduct, dockerd } }) => viaduct.length + dockerd.length > 0);
    } finally {
      for (const engine of alone) await engine.stop();
    }
  });

export const idle: Figure = {
  name: 'idle',
  about: 'processor and memory of a manager and a worker that have nothing to do',
  hosts: 'own',
  measure,
};

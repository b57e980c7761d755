/**
 * A service of ten tasks on three nodes, from its creation until all run, in turn with ten containers that are started by hand on the
 * same nodes, all nodes at once; and until all are replaced by an update.
 */
import {
  type Bench,
  containerBody,
  type Figure,
  removeContainer,
  Samples,
  startContainer,
} from '../bench.js';
import { most, type Row } from '../row.js';
import {
  makeOverlay,
  makeService,
  removeService,
  runningTasks,
  type Swarm,
  updateService,
  whenever,
  withSwarms,
} from '../swarm.js';

const TASKS = 10;
const NODES = 3;

const KINDS = [
  { network: undefined, where: '' },
  { network: 'served', where: ', on an overlay network' },
] as const;
type Kind = (typeof KINDS)[number];
type Series = `${'service' | 'by hand' | 'times' | 'update'}${Kind['where']}`;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};

/** Milliseconds until all run, and until an update has replaced all. */
const service = async (
  bench: Bench,
  swarm: Swarm,
  { network }: Kind,
): Promise<{ readonly created: number; readonly updated: number }> => {
  let id = '';
  const created = await timed(async () => {
    id = await makeService(swarm, 'ten', TASKS, network ? { task: { Networks: [{ Target: network }] } } : {});
    await whenever(bench, 'all tasks run', async () => (await runningTasks(swarm, id)) === TASKS);
  });
  const updated = await timed(() => updateService(bench, swarm, id));
  await removeService(bench, swarm, id);
  return { created, updated };
};

/** The same containers, each node its share one behind the other. */
const byHand = async ({ nodes }: Swarm, { network }: Kind): Promise<number> => {
  const body = containerBody(network ?? 'bridge');
  const share = (at: number): number => Math.ceil((TASKS - at) / NODES);
  const ids: string[][] = nodes.map(() => []);
  const ms = await timed(() =>
    Promise.all(
      nodes.map(async (node, at) => {
        for (let n = 0; n < share(at); n += 1) ids[at]?.push((await startContainer(node, body)).id);
      }),
    ),
  );
  await Promise.all(
    nodes.map(async (node, at) => {
      for (const id of ids[at] ?? []) await removeContainer(node, id);
    }),
  );
  return ms;
};

const measure = (bench: Bench): Promise<readonly Row[]> =>
  withSwarms(bench, NODES, async (swarms) => {
    const samples = new Samples<Series>();
    for (const swarm of swarms) await makeOverlay(swarm, 'served', '10.98.0.0/24');
    for (let round = -1; round < bench.rounds(12, 3); round += 1)
      for (const swarm of swarms)
        for (const kind of KINDS) {
          const hand = await byHand(swarm, kind);
          const { created, updated } = await service(bench, swarm, kind);
          if (round < 0) continue;
          samples.add(`by hand${kind.where}`, swarm.name, hand);
          samples.add(`service${kind.where}`, swarm.name, created);
          samples.add(`times${kind.where}`, swarm.name, created / hand);
          samples.add(`update${kind.where}`, swarm.name, updated);
        }
    const row = (title: string, key: Series, more: Partial<Row> = {}): Row => ({
      title,
      unit: 'ms',
      better: 'less',
      samples: samples.get(key),
      ...more,
    });
    return KINDS.flatMap(({ where }) => [
      row(`service create, ${TASKS} tasks on ${NODES} nodes, all run${where}`, `service${where}`, {
        target: most(1000),
      }),
      row(`… ${TASKS} containers by hand${where}`, `by hand${where}`, {
        note: 'created and started by the API, on all nodes at once, on each one behind the other',
      }),
      row('… times that', `times${where}`, { unit: '×' }),
      row(`service update, all ${TASKS} at once, until it is completed${where}`, `update${where}`, {
        note: 'stop-first, parallelism 0, no monitor; the tasks end by SIGKILL',
      }),
    ]);
  });

export const services: Figure = {
  name: 'services',
  about: `service create of ${TASKS} tasks on ${NODES} nodes beside ${TASKS} containers by hand, and an update of all`,
  hosts: 'own',
  measure,
};

/**
 * Restart of the daemon while containers run on a bridge: from the new process to the first `GET /containers/json` that
 * lists them all as running. SIGTERM for both (with --live-restore); kill -9 for Viaduct besides.
 */
import { type Bench, containerBody, type Figure, idOf, inTurn, Samples, startContainer } from '../bench.js';
import type { Engine } from '../engine.js';
import { most, type Row } from '../row.js';

const MANY = 300;
const FEW = 60;

const runs = (container: unknown): boolean =>
  typeof container === 'object' &&
  container !== null &&
  'State' in container &&
  container.State === 'running';

export const allRun =
  (count: number) =>
  async (api: Engine['api']): Promise<boolean> => {
    const { json } = await api('GET', '/containers/json');
    return Array.isArray(json) && json.filter(runs).length === count;
  };

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const count = bench.quick ? FEW : MANY;
  const samples = new Samples<'SIGTERM' | 'SIGKILL' | 'start'>();
  for (const engine of bench.engines) {
    bench.say(`${engine.name}: starting ${count} containers`);
    idOf((await engine.api('POST', '/networks/create', { Name: 'many', Driver: 'bridge' })).json);
    const body = containerBody('many');
    for (let i = 0; i < count; i += 1)
      samples.add('start', engine.name, (await startContainer(engine, body)).startMs);
  }
  await inTurn(
    bench.engines,
    bench.rounds(5, 2),
    async (engine) => {
      bench.say(`${engine.name}: restart`);
      const signals = engine.name === 'viaduct' ? (['SIGTERM', 'SIGKILL'] as const) : (['SIGTERM'] as const);
      for (const signal of signals)
        samples.add(signal, engine.name, (await engine.restart(signal, allRun(count))).readyMs);
    },
    0,
  );
  bench.say('removing them');
  await Promise.all(bench.engines.map((engine) => engine.clear()));
  const fewer = count < 300 ? { note: `--quick: ${count} containers instead of 300` } : {};
  const row = (title: string, key: Parameters<typeof samples.get>[0], more: Partial<Row>): Row => ({
    title,
    unit: 'ms',
    better: 'less',
    samples: samples.get(key),
    ...fewer,
    ...more,
  });
  return [
    row(`restart of the daemon with ${count} containers`, 'SIGTERM', { target: most(1000) }),
    row(`restart after kill -9 with ${count} containers`, 'SIGKILL', { target: most(1000) }),
    row(`container start on a bridge, the 1st to the ${count}th`, 'start', {}),
  ];
};

export const restarts: Figure = {
  name: 'restarts',
  about: 'restart of the daemon with 300 running containers',
  measure,
};

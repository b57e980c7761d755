/**
 * How long a container waits for DNS answers while another one, on another network, floods the resolver over TCP: an
 * honest client's 99th percentile, quiet and then beside sixty connections that are poured full.
 */
import {
  type Bench,
  containerBody,
  containerPid,
  type Figure,
  idOf,
  inTurn,
  Samples,
  startContainer,
} from '../bench.js';
import type { Engine } from '../engine.js';
import { type Asker, startAsker, startFlood } from '../load/processes.js';
import { most, type Row } from '../row.js';

const CONNECTIONS = 60;

interface Ends {
  readonly asker: Asker;
  /** namespace that the flood comes from */
  readonly flooding: string;
}

const prepare = async (engine: Engine): Promise<Ends> => {
  const inside = async (network: string, name: string): Promise<string> => {
    idOf((await engine.api('POST', '/networks/create', { Name: network, Driver: 'bridge' })).json);
    const { id } = await startContainer(engine, containerBody(network), name);
    return `/proc/${await containerPid(engine, id)}/ns/net`;
  };
  return {
    asker: await startAsker(await inside('honest', 'asker')),
    flooding: await inside('flooded', 'flooder'),
  };
};

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<'quiet' | 'beside' | 'times'>();
  const ends = new Map<string, Ends>();
  for (const engine of bench.engines) ends.set(engine.name, await prepare(engine));
  const seconds = bench.quick ? 2 : 4;
  try {
    await inTurn(
      bench.engines,
      bench.rounds(6, 4),
      async ({ name }) => {
        const { asker, flooding } = ends.get(name) as Ends; // made for each above
        const quiet = await asker.slowest('asker', seconds);
        const flood = await startFlood(flooding, CONNECTIONS, 'flooder');
        const beside = await asker.slowest('asker', seconds);
        flood.stop();
        samples.add('quiet', name, quiet);
        samples.add('beside', name, beside);
        samples.add('times', name, beside / quiet);
      },
      0,
    );
  } finally {
    for (const { asker } of ends.values()) asker.stop();
    for (const engine of bench.engines) await engine.clear();
  }
  const row = (title: string, key: Parameters<typeof samples.get>[0], more: Partial<Row>): Row => ({
    title,
    unit: 'ms',
    better: 'less',
    samples: samples.get(key),
    ...more,
  });
  return [
    row('DNS, 99 of 100 answers within', 'quiet', {}),
    row(`… beside ${CONNECTIONS} flooding connections of another container`, 'beside', {}),
    row('… times the quiet value', 'times', { unit: '×', target: most(5) }),
  ];
};

export const floods: Figure = {
  name: 'floods',
  about: 'DNS waits of one container while another floods the resolver',
  measure,
};

/** DNS answers per second inside a container that asks for another container's name; dnsperf is the load. */
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
import { measureDns } from '../dns.js';
import { type Row, timesDockerd } from '../row.js';

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<'answers' | 'latency'>();
  const netns = new Map<string, string>();
  for (const engine of bench.engines) {
    idOf((await engine.api('POST', '/networks/create', { Name: 'names', Driver: 'bridge' })).json);
    await startContainer(engine, containerBody('names'), 'target');
    const { id } = await startContainer(engine, containerBody('names'), 'asker');
    netns.set(engine.name, `/proc/${await containerPid(engine, id)}/ns/net`);
  }
  const seconds = bench.quick ? 2 : 4;
  await inTurn(
    bench.engines,
    bench.rounds(5, 3),
    async (engine, measured) => {
      const figures = await measureDns({
        netns: netns.get(engine.name) ?? '',
        name: 'target',
        seconds: measured ? seconds : 1,
      });
      if (figures.good < 0.999)
        throw new Error(`${engine.name}: ${figures.good * 100} % of the answers are good`);
      if (!measured) return;
      samples.add('answers', engine.name, figures.answersPerSecond);
      samples.add('latency', engine.name, figures.latency);
    },
    1,
  );
  for (const engine of bench.engines) await engine.clear();
  return [
    {
      title: 'DNS answers',
      unit: '1/s',
      better: 'more',
      target: timesDockerd(1.3),
      samples: samples.get('answers'),
      note: 'dnsperf, 4 sockets, 200 questions under way',
    },
    {
      title: 'DNS mean latency under that load',
      unit: 'ms',
      better: 'less',
      samples: samples.get('latency'),
    },
  ];
};

export const names: Figure = { name: 'names', about: 'DNS answers per second', measure };

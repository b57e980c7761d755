/** Start of a container that was created before, and its `rm -f` while it runs: without network, on a bridge, with -p. */
import {
  type Bench,
  containerBody,
  type Figure,
  inTurn,
  portRange,
  removeContainer,
  Samples,
  startContainer,
} from '../bench.js';
import { most, type Row } from '../row.js';

const KINDS = [
  { key: 'none', title: 'no network', body: containerBody('none'), target: 25, dockerdThen: 124 },
  { key: 'bridge', title: 'on a bridge', body: containerBody('bridge'), target: 27, dockerdThen: 162 },
  {
    key: 'published',
    title: 'with -p',
    body: containerBody('bridge', portRange(8080, 1)),
    target: 28,
    dockerdThen: 167,
  },
] as const;

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<string>();
  await inTurn(bench.engines, bench.rounds(25, 5), async (engine, measured) => {
    for (const { key, body } of KINDS) {
      const { id, createMs, startMs } = await startContainer(engine, body);
      const rmMs = await removeContainer(engine, id);
      if (!measured) continue;
      samples.add(`create ${key}`, engine.name, createMs);
      samples.add(`start ${key}`, engine.name, startMs);
      samples.add(`rm ${key}`, engine.name, rmMs);
    }
  });
  const row = (title: string, key: string): Row => ({
    title,
    unit: 'ms',
    better: 'less',
    samples: samples.get(key),
  });
  return [
    ...KINDS.map(({ key, title, target, dockerdThen }) => ({
      ...row(`container start, ${title}`, `start ${key}`),
      target: most(target, dockerdThen),
    })),
    row('container create (default bridge)', 'create bridge'),
    ...KINDS.map(({ key, title }) => row(`rm -f of a running container, ${title}`, `rm ${key}`)),
  ];
};

export const starts: Figure = {
  name: 'starts',
  about: 'container start (no network, bridge, -p) and rm -f',
  measure,
};

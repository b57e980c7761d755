/**
 * A container started, removed and listed beside ever more that run, and what the daemon and its monitors hold; a restart of the daemon with
 * all of them; then all removed, four at a time.
 */
import { containerBody, idOf, removeContainer, startContainer } from '../../bench.js';
import type { Engine } from '../../engine.js';
import { allRun } from '../../figures/restarts.js';
import { footprint } from '../../processes.js';
import { besideEmpty, type Figure, inParallel, type Pair, whilePingingBoth } from '../pair.js';
import type { Curve } from '../series.js';

const along = 'containers';
const START: Curve = {
  title: 'container start',
  along,
  unit: 'ms',
  goal: { kind: 'timesEmpty', value: 1.15 },
};
const REMOVE: Curve = {
  title: 'rm -f of a running container',
  along,
  unit: 'ms',
  goal: { kind: 'timesEmpty', value: 1.3 },
};
const LIST: Curve = {
  title: 'GET /containers/json',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 5 },
};
const PSS: Curve = { title: 'memory of daemon and monitors (PSS)', along, unit: 'MB' };
const STALL: Curve = {
  title: 'worst ping while containers are started one by one',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
};
const READY: Curve = {
  title: 'restart of the daemon with containers: ready',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 600 },
};
const GONE: Curve = {
  title: 'restart of the daemon with containers: the old process gone',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 300 },
};
const CLEAR: Curve = {
  title: 'all removed, four at a time',
  along,
  unit: 's',
  goal: { kind: 'most', value: 5 },
};
const CLEAR_STALL: Curve = {
  title: 'worst ping while all are removed',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
};

/** A bridge takes 1,023 ports. */
const PER_NETWORK = 250;
const networkOf = (index: number): string => `many${Math.floor(index / PER_NETWORK)}`;

const measureAt = async (pair: Pair, at: number): Promise<void> => {
  const { record } = pair;
  await besideEmpty(pair, pair.quick ? 5 : 12, async (engine, side, measured) => {
    const { id, startMs } = await startContainer(engine, containerBody('bridge'));
    const list = await engine.api('GET', '/containers/json');
    const removeMs = await removeContainer(engine, id);
    if (!measured) return;
    record.add(START, at, side, startMs);
    record.add(LIST, at, side, list.ms);
    record.add(REMOVE, at, side, removeMs);
  });
  for (const [engine, side] of [
    [pair.grown, 'grown'],
    [pair.empty, 'empty'],
  ] as const)
    record.add(PSS, at, side, footprint(engine.processes()).pss);
};

const restart = async ({ grown, empty, quick, record }: Pair, at: number): Promise<void> => {
  for (let round = 0; round < (quick ? 2 : 4); round += 1)
    for (const [engine, side, count] of [
      [grown, 'grown', at],
      [empty, 'empty', 0],
    ] as const) {
      const { readyMs, goneMs } = await engine.restart('SIGTERM', allRun(count));
      record.add(READY, at, side, readyMs);
      record.add(GONE, at, side, goneMs);
    }
};

const start = async (engine: Engine, index: number): Promise<void> => {
  if (index % PER_NETWORK === 0)
    idOf((await engine.api('POST', '/networks/create', { Name: networkOf(index), Driver: 'bridge' })).json);
  await startContainer(engine, containerBody(networkOf(index)), `c${index}`);
};

const clear = (pair: Pair, count: number): Promise<void> =>
  whilePingingBoth(pair, async (seen) => {
    const begin = performance.now();
    await inParallel(pair.grown, count, 4, (client, i) =>
      client.call('DELETE', `/containers/c${i}?force=1&v=1`),
    );
    pair.record.add(CLEAR, count, 'grown', (performance.now() - begin) / 1_000);
    for (const [side, { worst }] of await seen()) pair.record.add(CLEAR_STALL, count, side, worst);
  });

const measure = async (pair: Pair): Promise<void> => {
  const steps = pair.quick ? [10, 60, 150] : [10, 100, 300, 600, 1_000];
  let there = 0;
  for (const at of steps) {
    pair.say(`${at} containers`);
    await whilePingingBoth(pair, async (seen) => {
      for (; there < at; there += 1) await start(pair.grown, there);
      for (const [side, { worst }] of await seen()) pair.record.add(STALL, at, side, worst);
    });
    await measureAt(pair, at);
  }
  pair.say('restarts');
  await restart(pair, there);
  pair.say('removing them');
  await clear(pair, there);
  await pair.grown.clear();
};

export const containers: Figure = {
  name: 'containers',
  about:
    'a container started, listed and removed beside up to 1,000; restart with and removal of all of them',
  measure,
};

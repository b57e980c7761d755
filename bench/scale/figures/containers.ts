/**
 * A container started, removed and listed beside ever more that run, and what the daemon and its monitors hold; a restart of the daemon with
 * all of them; then all removed, four at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { containerBody, idOf, removeContainer, startContainer } from '../../bench.js';
import type { Engine } from '../../engine.js';
import { allRun } from '../../figures/restarts.js';
import { createClient } from '../../http.js';
import { footprint, programOf } from '../../processes.js';
import { answerByHand, HAND_CLEAR } from '../by-hand.js';
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
const HAND_LIST: Curve = {
  title: 'by hand: the same list from a program of Node that only sends it',
  along,
  unit: 'ms',
};
const HAND_READ: Curve = {
  title: 'by hand: all links and rules beside containers read (ip, nft)',
  along,
  unit: 'ms',
};
const LIST: Curve = {
  title: 'GET /containers/json',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 5 },
  floor: {
    of: [HAND_LIST],
    why: 'the bytes’ way through Node and the socket; above it, the state of each container (“Up 3 seconds”) is put between rows that are kept as bytes',
  },
};
const PSS: Curve = { title: 'memory of daemon and monitors (PSS)', along, unit: 'MB' };
const MONITORS: Curve = { title: 'memory of the monitors alone (conmon, PSS)', along, unit: 'MB' };
const PSS_IDLE: Curve = {
  title: 'memory of a daemon that has nothing (PSS)',
  along,
  unit: 'MB',
  goal: { kind: 'most', value: 50 },
};
const MONITORS_100: Curve = { title: 'memory of 100 monitors alone (conmon, PSS)', along, unit: 'MB' };
const PSS_100: Curve = {
  title: 'memory with 100 containers (PSS)',
  along,
  unit: 'MB',
  goal: { kind: 'most', value: 90 },
  floor: {
    of: [PSS_IDLE, MONITORS_100],
    why: 'a monitor a container is conmon’s; Node keeps the pages of a heap that starts have filled until it has rested for a while',
  },
};
const STALL: Curve = {
  title: 'worst ping while containers are started one by one',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
  floor: { of: 'empty', why: 'the processors are taken by crun, conmon and the kernel' },
};
const READY: Curve = {
  title: 'restart of the daemon with containers: ready',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 600 },
  floor: {
    of: [HAND_READ],
    why: 'to read what is there; above it, a process of Node starts (the empty engine’s figure), and of each container its monitor, its namespace and its resolver’s sockets are opened anew (0.5 ms). This is not at the floor',
  },
};
const GONE: Curve = {
  title: 'restart of the daemon with containers: the old process gone',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 300 },
  floor: {
    of: 'empty',
    why: 'what the empty engine takes to end; above it, what is kept beside each container (so that a lost record can be made anew) is written where it is not yet, here seconds after the start before',
  },
};
const CLEAR: Curve = {
  title: 'all removed, four at a time',
  along,
  unit: 's',
  goal: { kind: 'most', value: 5 },
  floor: {
    of: [HAND_CLEAR],
    why: 'processor time of crun, conmon and the kernel, which takes namespaces and cgroups down: both processors are busy all the time',
  },
};
const CLEAR_STALL: Curve = {
  title: 'worst ping while all are removed',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
  floor: {
    of: 'empty',
    why: 'the processors are taken by crun and the kernel, and a system call of the daemon waits behind a lock that the kernel holds while it takes namespaces down',
  },
};

/** A bridge takes 1,023 ports. */
const PER_NETWORK = 250;
const networkOf = (index: number): string => `many${Math.floor(index / PER_NETWORK)}`;

/** Until what is not used is given back (`spare-memory.ts`); milliseconds. */
const REST_MS = 20_000;

const monitorsOf = (engine: Engine): number =>
  footprint(engine.processes().filter((pid) => programOf(pid) === 'conmon')).pss;

/** What the kernel and Node take for what there is to tell. */
const byHand = async ({ grown, quick, record }: Pair, at: number): Promise<void> => {
  const { json } = await grown.api('GET', '/containers/json');
  const { socket, end } = await answerByHand(grown.world.base, json);
  const client = createClient(socket);
  try {
    for (let round = -1; round < (quick ? 5 : 12); round += 1) {
      const { ms } = await client.call('GET', '/');
      if (round >= 0) record.add(HAND_LIST, at, 'grown', ms);
    }
  } finally {
    client.close();
    end();
  }
  for (let round = 0; round < 3; round += 1) {
    const begin = performance.now();
    await grown.world.host('ip -d link >/dev/null; nft list ruleset >/dev/null');
    record.add(HAND_READ, at, 'grown', performance.now() - begin);
  }
};

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
  const monitors = monitorsOf(pair.grown);
  record.add(MONITORS, at, 'grown', monitors);
  if (at === 100) {
    await sleep(REST_MS);
    record.add(PSS_100, at, 'grown', footprint(pair.grown.processes()).pss);
    record.add(MONITORS_100, at, 'grown', monitors);
  }
  await byHand(pair, at);
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
  await sleep(REST_MS);
  pair.record.add(PSS_IDLE, 0, 'grown', footprint(pair.grown.processes()).pss);
  const steps = pair.quick ? [10, 100, 150] : [10, 100, 300, 600, 1_000];
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

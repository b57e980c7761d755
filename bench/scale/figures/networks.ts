/** A network made, joined, left and removed beside ever more networks; then a restart of the daemon with all of them. */
import { containerBody, idOf, removeContainer, startContainer } from '../../bench.js';
import type { Engine } from '../../engine.js';
import { besideEmpty, type Figure, inParallel, type Pair, whilePingingBoth } from '../pair.js';
import type { Curve, Side } from '../series.js';

const along = 'networks';
const CREATE: Curve = {
  title: 'network create',
  along,
  unit: 'ms',
  goal: { kind: 'timesFirst', value: 1.3 },
};
const REMOVE: Curve = { title: 'network rm', along, unit: 'ms', goal: { kind: 'timesEmpty', value: 1.3 } };
const CONNECT: Curve = { title: 'network connect', along, unit: 'ms', goal: { kind: 'most', value: 3 } };
const DISCONNECT: Curve = {
  title: 'network disconnect',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 2 },
};
const STALL: Curve = {
  title: 'worst ping while networks are made one by one',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
};
const READY: Curve = {
  title: 'restart of the daemon: ready',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 1_000 },
};
const GONE: Curve = { title: 'restart of the daemon: the old process gone', along, unit: 'ms' };

const HAND_CREATE: Curve = { title: 'by hand: a bridge with an address made (ip)', along, unit: 'ms' };
const HAND_REMOVE: Curve = { title: 'by hand: a bridge deleted (ip)', along, unit: 'ms' };
const HAND_READ: Curve = { title: 'by hand: all links and rules read (ip, nft)', along, unit: 'ms' };

const timed = async (work: Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
};

/** What the kernel takes beside so many, and a program of a few milliseconds that asks it. */
const byHand = async ({ world }: Engine, side: Side, at: number, { record }: Pair): Promise<void> => {
  const ip = (...lines: string[]) => timed(world.host('ip -batch -', { input: `${lines.join('\n')}\n` }));
  const made = ['link add hand type bridge', 'link set hand up', 'address add 172.31.255.1/24 dev hand'];
  record.add(HAND_CREATE, at, side, await ip(...made));
  record.add(HAND_REMOVE, at, side, await ip('link delete hand'));
  record.add(
    HAND_READ,
    at,
    side,
    await timed(world.host('ip -d link >/dev/null; nft list ruleset >/dev/null')),
  );
};

const make = async ({ api }: Pick<Engine, 'api'>, name: string) => {
  const { json, ms } = await api('POST', '/networks/create', { Name: name, Driver: 'bridge' });
  return { id: idOf(json), ms };
};

const measureAt = async (pair: Pair, at: number): Promise<void> => {
  const { record } = pair;
  const [grown, empty] = [
    await startContainer(pair.grown, containerBody('bridge')),
    await startContainer(pair.empty, containerBody('bridge')),
  ];
  await besideEmpty(pair, pair.quick ? 5 : 15, async (engine, side, measured) => {
    const { id, ms: create } = await make(engine, 'measured');
    const member = { Container: (side === 'grown' ? grown : empty).id };
    const connect = await engine.api('POST', `/networks/${id}/connect`, member);
    const disconnect = await engine.api('POST', `/networks/${id}/disconnect`, member);
    const remove = await engine.api('DELETE', `/networks/${id}`);
    if (!measured) return;
    record.add(CREATE, at, side, create);
    record.add(CONNECT, at, side, connect.ms);
    record.add(DISCONNECT, at, side, disconnect.ms);
    record.add(REMOVE, at, side, remove.ms);
  });
  await besideEmpty(pair, pair.quick ? 2 : 5, async (engine, side, measured) => {
    if (measured) await byHand(engine, side, at, pair);
  });
  await removeContainer(pair.grown, grown.id);
  await removeContainer(pair.empty, empty.id);
};

const all =
  (count: number) =>
  async (api: Engine['api']): Promise<boolean> => {
    const { json } = await api('GET', '/networks');
    return Array.isArray(json) && json.length >= count;
  };

const restart = async ({ grown, empty, quick, record }: Pair, at: number): Promise<void> => {
  for (let round = 0; round < (quick ? 2 : 4); round += 1)
    for (const [engine, side, count] of [
      [grown, 'grown', at],
      [empty, 'empty', 0],
    ] as const) {
      const { readyMs, goneMs } = await engine.restart('SIGTERM', all(count));
      record.add(READY, at, side, readyMs);
      record.add(GONE, at, side, goneMs);
    }
};

const measure = async (pair: Pair): Promise<void> => {
  const steps = pair.quick ? [10, 300] : [10, 1_000, 2_000, 5_000];
  let there = 0;
  for (const at of steps) {
    pair.say(`${at} networks`);
    await whilePingingBoth(pair, async (seen) => {
      for (; there < at; there += 1) await make(pair.grown, `n${there}`);
      for (const [side, { worst }] of await seen()) pair.record.add(STALL, at, side, worst);
    });
    await measureAt(pair, at);
  }
  pair.say('restarts');
  await restart(pair, there);
  await inParallel(pair.grown, there, 4, (client, i) => client.call('DELETE', `/networks/n${i}`));
};

export const networks: Figure = {
  name: 'networks',
  about: 'a network made, joined, left and removed beside up to 5,000; restart with all of them',
  measure,
};

/** A network made, joined, left and removed beside ever more networks; then a restart of the daemon with all of them. */
import { containerBody, containerPid, idOf, removeContainer, startContainer } from '../../bench.js';
import type { Engine } from '../../engine.js';
import { besideEmpty, type Figure, inParallel, type Pair, whilePingingBoth } from '../pair.js';
import type { Curve, Side } from '../series.js';

const along = 'networks';

const HAND_CREATE: Curve = { title: 'by hand: a bridge with an address made (ip)', along, unit: 'ms' };
const HAND_REMOVE: Curve = { title: 'by hand: a bridge deleted (ip)', along, unit: 'ms' };
const HAND_JOIN: Curve = {
  title: 'by hand: a veth pair made, put into bridge and container, up (ip, without its own start)',
  along,
  unit: 'ms',
};
const HAND_LEAVE: Curve = {
  title: 'by hand: a veth pair deleted (ip, without its own start)',
  along,
  unit: 'ms',
};
const HAND_READ: Curve = { title: 'by hand: all links and rules read (ip, nft)', along, unit: 'ms' };

const CREATE: Curve = {
  title: 'network create',
  along,
  unit: 'ms',
  goal: { kind: 'timesFirst', value: 1.3 },
  floor: {
    of: [HAND_CREATE],
    why: 'the kernel’s own growth; above it are the record on the disk and the elements of the firewall',
  },
};
const REMOVE: Curve = {
  title: 'network rm',
  along,
  unit: 'ms',
  goal: { kind: 'timesEmpty', value: 1.3 },
  floor: {
    of: [HAND_REMOVE],
    why: 'nine tenths of it are the kernel’s, which goes through all routes of the namespace when a link goes down (by a profile with 5,000); by hand that is small beside a wait (RCU) that is put off here',
  },
};
const CONNECT: Curve = {
  title: 'network connect',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 3 },
  floor: {
    of: [HAND_JOIN],
    why: 'the kernel’s part; above it are the record on the disk (one fdatasync), the firewall’s elements, resolver and hosts file, and HTTP',
  },
};
const DISCONNECT: Curve = {
  title: 'network disconnect',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 2 },
  floor: {
    of: [HAND_LEAVE],
    why: 'by hand one waits until nobody reads the link any more (RCU); here it is taken out of the way, and deleted later with others. What is left are netlink, the record on the disk (one fdatasync), the firewall’s elements, the hosts file and HTTP',
  },
};
const STALL: Curve = {
  title: 'worst ping while networks are made one by one',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
  floor: {
    of: 'empty',
    why: 'the machine’s; what is above it is a network’s own turn of the loop, and collections of a heap that holds them all',
  },
};
const READY: Curve = {
  title: 'restart of the daemon: ready',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 1_000 },
  floor: {
    of: [HAND_READ],
    why: 'to read what is there; above it, each link, sysctl and element is compared with the record, a process of Node starts (the empty engine’s figure), and a heap grows from nothing. This is not at the floor',
  },
};
const GONE: Curve = { title: 'restart of the daemon: the old process gone', along, unit: 'ms' };

/** Pairs that `ip` makes in one call. */
const PAIRS = 10;

const timed = async (work: Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
};

/** What the kernel takes beside so many, and a program of a few milliseconds that asks it. `pid`: a container's. */
const byHand = async (
  { world }: Engine,
  pid: number,
  side: Side,
  at: number,
  { record }: Pair,
): Promise<void> => {
  const ip = (...lines: string[]) => timed(world.host('ip -batch -', { input: `${lines.join('\n')}\n` }));
  const inside = (...lines: string[]) =>
    timed(world.host(`nsenter -t ${pid} -n ip -batch -`, { input: `${lines.join('\n')}\n` }));
  const made = ['link add hand type bridge', 'link set hand up', 'address add 172.31.255.1/24 dev hand'];
  record.add(HAND_CREATE, at, side, await ip(...made));
  // Many in one call, so that the program's own start, which is longer than what it does, goes out of the figure.
  const all = Array.from({ length: PAIRS }, (_, i) => i);
  const nothing = (await ip('link show dev hand')) + (await inside('link show dev lo'));
  const outer = await ip(
    ...all.flatMap((i) => [
      `link add hand${i} type veth peer name eth1${i} netns ${pid}`,
      `link set hand${i} master hand up`,
    ]),
  );
  const inner = await inside(
    ...all.flatMap((i) => [`address add 172.31.255.${i + 9}/24 dev eth1${i}`, `link set eth1${i} up`]),
  );
  record.add(HAND_JOIN, at, side, Math.max(0, outer + inner - nothing) / PAIRS);
  const left = await ip(...all.map((i) => `link delete hand${i}`));
  record.add(HAND_LEAVE, at, side, Math.max(0, left - nothing / 2) / PAIRS);
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
  const pids = {
    grown: await containerPid(pair.grown, grown.id),
    empty: await containerPid(pair.empty, empty.id),
  };
  await besideEmpty(pair, pair.quick ? 2 : 5, async (engine, side, measured) => {
    if (measured) await byHand(engine, pids[side], side, at, pair);
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

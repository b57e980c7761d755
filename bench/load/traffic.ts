/**
 * TCP throughput and round trips over several networks in turn: from a container to another and to the outside. A round
 * measures each network once, the next round in reverse order, so that what drifts meanwhile cancels out.
 */
import { run } from '../../test/support/run.js';
import { OUTSIDE } from '../../test/support/world.js';
import type { Ends } from '../plain.js';
import { startEcho, startRoundTrips, startStreamServer, streamTo } from './processes.js';

export const WAYS = ['to a container', 'to the outside'] as const;
export type Way = (typeof WAYS)[number];
export const KINDS = ['throughput', 'round trip'] as const;
export type Kind = (typeof KINDS)[number];

/** One network with its loads ready. Gbit/s, microseconds. */
export interface Subject<Name extends string> {
  readonly name: Name;
  readonly throughput: (way: Way, amount: Parameters<typeof streamTo>[2]) => Promise<number>;
  readonly roundTrip: (way: Way, seconds: number) => Promise<number>;
  readonly stop: () => void;
}

const addressIn = async (netns: string): Promise<string> => {
  const text = await run('nsenter', [`--net=${netns}`, 'ip', '-4', '-o', 'address', 'show', 'dev', 'eth0']);
  const address = /inet ([\d.]+)\//.exec(text)?.[1];
  if (address === undefined) throw new Error(`no address in ${netns}: ${text}`);
  return address;
};

const ECHO_PORT = 7;

export const makeReady = async <Name extends string>(name: Name, ends: Ends): Promise<Subject<Name>> => {
  const peers: Readonly<Record<Way, string>> = {
    'to a container': await addressIn(ends.b),
    'to the outside': OUTSIDE.ipv4,
  };
  const [client, ...servers] = await Promise.all([
    startRoundTrips(ends.a),
    ...[ends.b, ends.outside].flatMap((netns) => [startEcho(netns, ECHO_PORT), startStreamServer(netns)]),
  ]);
  return {
    name,
    throughput: (way, amount) => streamTo(ends.a, peers[way], amount),
    roundTrip: (way, seconds) => client.measure(peers[way], ECHO_PORT, seconds),
    stop: () => {
      for (const { stop } of [client, ...servers]) stop();
    },
  };
};

/** One value a round. */
export class Values<Name extends string> {
  readonly #values = new Map<string, number[]>();

  add(name: Name, way: Way, kind: Kind, value: number): void {
    const key = `${name} ${way} ${kind}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }
  get(name: Name, way: Way, kind: Kind): readonly number[] {
    return this.#values.get(`${name} ${way} ${kind}`) ?? [];
  }
}

export interface Duration {
  /** seconds for all rounds; there are MIN_ROUNDS whatever they take */
  readonly total: number;
  /** seconds of one stream, and of one series of round trips, of which a round has two */
  readonly stream: number;
  readonly roundTrip: number;
}

const MIN_ROUNDS = 4;
/** Series of round trips that are thrown away: V8 goes on compiling the programs at both ends for as long as that. */
const WARM_UP = 8;

/**
 * Microseconds, the better of two series, there and back through the subjects. In the emulated machine one series in
 * fifty took 1.5 to 3 times as long, whoever's network it was and whatever V8 was told; the cause was not found.
 */
const roundTrips = async <Name extends string>(
  subjects: readonly Subject<Name>[],
  way: Way,
  seconds: number,
): Promise<ReadonlyMap<Name, number>> => {
  const best = new Map<Name, number>();
  for (const { name, roundTrip } of [...subjects, ...[...subjects].reverse()])
    best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, await roundTrip(way, seconds)));
  return best;
};

/** The same bytes for all: about as many as the first carries in the time. iperf3 itself knows whole seconds only. */
const bytesFor = async (subjects: readonly Subject<string>[], way: Way, seconds: number): Promise<number> => {
  const gigabits = (await subjects[0]?.throughput(way, ['-t', 1])) ?? 1;
  return Math.round((gigabits * 1e9 * seconds) / 8);
};

export const measureTraffic = async <Name extends string>(
  subjects: readonly Subject<Name>[],
  { total, stream, roundTrip }: Duration,
): Promise<Values<Name>> => {
  const values = new Values<Name>();
  const bytes = new Map<Way, number>();
  for (const way of WAYS) bytes.set(way, await bytesFor(subjects, way, stream));
  for (const subject of subjects) for (const way of WAYS) await subject.roundTrip(way, roundTrip * WARM_UP);
  const end = performance.now() + total * 1000;
  for (let round = 0; round < MIN_ROUNDS || performance.now() < end; round += 1) {
    const order = round % 2 === 0 ? subjects : [...subjects].reverse();
    for (const way of WAYS) {
      const amount = ['-n', bytes.get(way) ?? 0] as const;
      for (const { name, throughput } of order)
        values.add(name, way, 'throughput', await throughput(way, amount));
      for (const [name, value] of await roundTrips(order, way, roundTrip))
        values.add(name, way, 'round trip', value);
    }
  }
  return values;
};

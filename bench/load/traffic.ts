/**
 * TCP over several networks in turn: throughput, round trips and new connections, by each of some ways. A round measures each
 * network once, the next round in reverse order, so that what drifts meanwhile cancels out.
 */
import { run } from '../../test/support/run.js';
import {
  type Connector,
  startAcceptor,
  startConnector,
  startEcho,
  startRoundTrips,
  startStreamServer,
  streamTo,
} from './processes.js';

export const PORTS = { echo: 7, accept: 9, stream: 5201 } as const;

export type Kind = 'throughput' | 'round trip' | 'connections';

/** From whose network namespace (a path) into whose, to which address. */
export interface Route {
  readonly from: string;
  readonly to: string;
  readonly address: string;
}
export type Routes<Way extends string> = Readonly<Record<Way, Route>>;

/** One network with its loads ready. Gbit/s, microseconds, connections a second. */
export interface Subject<Name extends string, Way extends string> {
  readonly name: Name;
  readonly throughput: (way: Way, amount: Parameters<typeof streamTo>[2]) => Promise<number>;
  readonly roundTrip: (way: Way, seconds: number) => Promise<number>;
  readonly connections: (way: Way, seconds: number) => Promise<number>;
  readonly stop: () => void;
}

export const addressIn = async (netns: string): Promise<string> => {
  const text = await run('nsenter', [`--net=${netns}`, 'ip', '-4', '-o', 'address', 'show', 'dev', 'eth0']);
  const address = /inet ([\d.]+)\//.exec(text)?.[1];
  if (address === undefined) throw new Error(`no address in ${netns}: ${text}`);
  return address;
};

/** One of each namespace that the routes name. */
const eachOnce = async <Made>(
  paths: readonly string[],
  make: (path: string) => Promise<Made>,
): Promise<ReadonlyMap<string, Made>> =>
  new Map(await Promise.all([...new Set(paths)].map(async (path) => [path, await make(path)] as const)));

export const makeReady = async <Name extends string, Way extends string>(
  name: Name,
  routes: Routes<Way>,
): Promise<Subject<Name, Way>> => {
  const all: readonly Route[] = Object.values(routes);
  const servers = await eachOnce(
    all.map(({ to }) => to),
    (to) => Promise.all([startEcho(to, PORTS.echo), startAcceptor(to, PORTS.accept), startStreamServer(to)]),
  );
  const clients = await eachOnce(
    all.map(({ from }) => from),
    startRoundTrips,
  );
  const connectors = new Map<Way, Connector>();
  const connectorFor = async (way: Way): Promise<Connector> => {
    const { from, address } = routes[way];
    const connector = connectors.get(way) ?? (await startConnector(from, address, PORTS.accept));
    connectors.set(way, connector);
    return connector;
  };
  return {
    name,
    throughput: (way, amount) => streamTo(routes[way].from, routes[way].address, amount),
    roundTrip: async (way, seconds) => {
      const { from, address } = routes[way];
      return clients.get(from)?.measure(address, PORTS.echo, seconds) ?? Number.NaN; // there is one of each
    },
    connections: async (way, seconds) => (await connectorFor(way)).perSecond(seconds),
    stop: () => {
      for (const { stop } of [...clients.values(), ...connectors.values(), ...[...servers.values()].flat()])
        stop();
    },
  };
};

/** One value a round. */
export class Values<Name extends string, Way extends string> {
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
  /** seconds of one stream, of one series of round trips and of one of connections, of which a round has two */
  readonly stream: number;
  readonly roundTrip: number;
  readonly connections?: number;
}

const MIN_ROUNDS = 4;
/** Series that are thrown away: V8 goes on compiling the programs at both ends for as long as that. */
const WARM_UP = 8;

/**
 * The better of two series, there and back through the subjects. In the emulated machine one series in fifty took 1.5 to 3
 * times as long, whoever's network it was and whatever V8 was told; the cause was not found.
 */
const betterOfTwo = async <Name extends string, Way extends string>(
  subjects: readonly Subject<Name, Way>[],
  measure: (subject: Subject<Name, Way>) => Promise<number>,
  better: (a: number, b: number) => number,
): Promise<ReadonlyMap<Name, number>> => {
  const best = new Map<Name, number>();
  for (const subject of [...subjects, ...[...subjects].reverse()]) {
    const value = await measure(subject);
    best.set(subject.name, better(best.get(subject.name) ?? value, value));
  }
  return best;
};

/** The same bytes for all: about as many as the first carries in the time. iperf3 itself knows whole seconds only. */
const bytesFor = async <Way extends string>(
  subjects: readonly Subject<string, Way>[],
  way: Way,
  seconds: number,
): Promise<number> => {
  const gigabits = (await subjects[0]?.throughput(way, ['-t', 1])) ?? 1;
  return Math.round((gigabits * 1e9 * seconds) / 8);
};

export const measureTraffic = async <Name extends string, Way extends string>(
  subjects: readonly Subject<Name, Way>[],
  ways: readonly Way[],
  { total, stream, roundTrip, connections }: Duration,
): Promise<Values<Name, Way>> => {
  const values = new Values<Name, Way>();
  const bytes = new Map<Way, number>();
  for (const way of ways) bytes.set(way, await bytesFor(subjects, way, stream));
  for (const subject of subjects)
    for (const way of ways) {
      await subject.roundTrip(way, roundTrip * WARM_UP);
      if (connections !== undefined) await subject.connections(way, connections * WARM_UP);
    }
  const end = performance.now() + total * 1000;
  for (let round = 0; round < MIN_ROUNDS || performance.now() < end; round += 1) {
    const order = round % 2 === 0 ? subjects : [...subjects].reverse();
    for (const way of ways) {
      const amount = ['-n', bytes.get(way) ?? 0] as const;
      for (const { name, throughput } of order)
        values.add(name, way, 'throughput', await throughput(way, amount));
      for (const [name, value] of await betterOfTwo(
        order,
        (each) => each.roundTrip(way, roundTrip),
        Math.min,
      ))
        values.add(name, way, 'round trip', value);
      if (connections === undefined) continue;
      for (const [name, value] of await betterOfTwo(
        order,
        (each) => each.connections(way, connections),
        Math.max,
      ))
        values.add(name, way, 'connections', value);
    }
  }
  return values;
};

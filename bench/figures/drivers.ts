/**
 * TCP throughput and round trips between two containers and from one to the outside, per driver, beside the same network
 * made by hand: what Viaduct's rules, sysctls and firewall cost. A round measures each once, the next in reverse order,
 * so that what drifts meanwhile cancels out.
 */
import { existsSync } from 'node:fs';
import { startOvs } from '../../test/support/ovs.js';
import { run } from '../../test/support/run.js';
import { HOST, OUTSIDE } from '../../test/support/world.js';
import { type Bench, containerBody, containerPid, type Figure, idOf, startContainer } from '../bench.js';
import type { Engine } from '../engine.js';
import { startEcho, startRoundTrips, startStreamServer, streamTo } from '../load/processes.js';
import { type Ends, makeByHand, onParent, plainBridge, plainOvs } from '../plain.js';
import { ofPlain, type Row } from '../row.js';
import { onEnd } from '../undo.js';

type Maker = 'plain' | 'viaduct' | 'dockerd';
type Build = Parameters<typeof makeByHand>[0];

interface Driver {
  readonly name: string;
  readonly network: object;
  /** the same by hand, as Viaduct's machine has it; undefined where this machine has not what it takes */
  readonly prepare: (viaduct: Engine, absent: Bench['absent']) => Promise<Build | undefined>;
}

/** Both sit on the wire between the machine and the outside. */
const onTheWire = (name: string, type: string): Driver => ({
  name,
  network: {
    Driver: name,
    Options: { parent: 'eth0' },
    IPAM: {
      Config: [{ Subnet: '192.0.2.0/24', Gateway: OUTSIDE.ipv4, AuxiliaryAddresses: { host: HOST.ipv4 } }],
    },
  },
  prepare: async ({ world }, absent) => {
    const { code, stderr } = await world.host.try(
      `ip link add link eth0 name probe0 type ${type} && ip link delete probe0`,
    );
    if (code === 0) return onParent(type);
    absent(`drivers: ${name}: this kernel has none (${stderr.trim()})`);
    return undefined;
  },
});

const OVS_PROGRAM = '/usr/sbin/ovs-vswitchd';

const DRIVERS: readonly Driver[] = [
  { name: 'bridge', network: { Driver: 'bridge' }, prepare: async () => plainBridge },
  onTheWire('macvlan', 'macvlan mode bridge'),
  onTheWire('ipvlan', 'ipvlan mode l2'),
  {
    name: 'ovs',
    network: { Driver: 'ovs' },
    prepare: async ({ world }, absent) => {
      if (existsSync(OVS_PROGRAM)) {
        onEnd((await startOvs(world.base, world.enter)).remove);
        return plainOvs(existsSync('/sys/module/openvswitch') ? 'system' : 'netdev');
      }
      absent(`drivers: ovs: no ${OVS_PROGRAM} (Debian's openvswitch-switch)`);
      return undefined;
    },
  },
];

const containersOf = async (engine: Engine, network: object): Promise<Ends> => {
  const body = JSON.stringify({ Name: 'measured', ...network });
  idOf((await engine.api('POST', '/networks/create', body)).json);
  const start = async (): Promise<string> => {
    const { id } = await startContainer(engine, containerBody('measured'));
    return `/proc/${await containerPid(engine, id)}/ns/net`;
  };
  return { a: await start(), b: await start(), outside: engine.world.netns.outside };
};

const addressIn = async (netns: string): Promise<string> => {
  const text = await run('nsenter', [
    `--net=${netns}`,
    'ip',
    '-4',
    '-o',
    'address',
    'show',
    'scope',
    'global',
  ]);
  const address = /inet ([\d.]+)\//.exec(text)?.[1];
  if (address === undefined) throw new Error(`no address in ${netns}: ${text}`);
  return address;
};

const ECHO_PORT = 7;

/** The loads of one network, ready at both of its peers. */
interface Subject {
  readonly maker: Maker;
  readonly ends: Ends;
  readonly peers: Readonly<Record<Way, string>>;
  readonly roundTrip: (way: Way, seconds: number) => Promise<number>;
  readonly stop: () => void;
}
const WAYS = ['to a container', 'to the outside'] as const;
type Way = (typeof WAYS)[number];

const ready = async (maker: Maker, ends: Ends): Promise<Subject> => {
  const peers = { 'to a container': await addressIn(ends.b), 'to the outside': OUTSIDE.ipv4 };
  const client = await startRoundTrips(ends.a);
  const servers = await Promise.all([
    ...[ends.b, ends.outside].map((netns) => startEcho(netns, ECHO_PORT)),
    ...[ends.b, ends.outside].map(startStreamServer),
  ]);
  return {
    maker,
    ends,
    peers,
    roundTrip: (way, seconds) => client.measure(peers[way], ECHO_PORT, seconds),
    stop: () => {
      for (const { stop } of [client, ...servers]) stop();
    },
  };
};

const KINDS = ['throughput', 'round trip'] as const;
type Kind = (typeof KINDS)[number];

interface Slices {
  readonly rounds: number;
  readonly streamSeconds: number;
  readonly roundTripSeconds: number;
}

class Values {
  readonly #values = new Map<string, number[]>();

  add(way: Way, kind: Kind, maker: Maker, value: number): void {
    const key = `${way} ${kind} ${maker}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }
  of(way: Way, kind: Kind, maker: Maker): readonly number[] {
    return this.#values.get(`${way} ${kind} ${maker}`) ?? [];
  }
}

/** The same bytes for all, about as many as the first of them carries in the time. */
const calibrate = async (subjects: readonly Subject[], way: Way, seconds: number): Promise<number> => {
  const rates: number[] = [];
  for (const { ends, peers } of subjects) rates.push(await streamTo(ends.a, peers[way], ['-t', 1]));
  return Math.round(((rates[0] ?? 1) * 1e9 * seconds) / 8);
};

const measureSubjects = async (
  subjects: readonly Subject[],
  { rounds, streamSeconds, roundTripSeconds }: Slices,
): Promise<Values> => {
  const values = new Values();
  const bytes = new Map<Way, number>();
  for (const way of WAYS) bytes.set(way, await calibrate(subjects, way, streamSeconds));
  for (let round = 0; round < rounds; round += 1)
    for (const way of WAYS) {
      const order = round % 2 === 0 ? subjects : [...subjects].reverse();
      for (const { maker, ends, peers } of order)
        values.add(way, 'throughput', maker, await streamTo(ends.a, peers[way], ['-n', bytes.get(way) ?? 0]));
      for (const { maker, roundTrip } of order)
        values.add(way, 'round trip', maker, await roundTrip(way, roundTripSeconds));
    }
  return values;
};

const rowsOf = (driver: string, values: Values): readonly Row[] =>
  WAYS.flatMap((way) =>
    KINDS.map(
      (kind): Row => ({
        title: `${driver}: ${way}, ${kind}`,
        unit: kind === 'throughput' ? 'Gbit/s' : 'µs',
        better: kind === 'throughput' ? 'more' : 'less',
        target: ofPlain(97),
        samples: { viaduct: values.of(way, kind, 'viaduct'), dockerd: values.of(way, kind, 'dockerd') },
        plain: values.of(way, kind, 'plain'),
        note: kind === 'throughput' ? 'iperf3, one TCP stream' : 'one byte there and back over TCP',
      }),
    ),
  );

const measureDriver = async (
  { name, network }: Driver,
  build: Build,
  engines: readonly Engine[],
  slices: Slices,
): Promise<readonly Row[]> => {
  const plain = await makeByHand(build);
  const subjects: Subject[] = [];
  try {
    subjects.push(await ready('plain', plain.ends));
    for (const engine of engines)
      subjects.push(await ready(engine.name, await containersOf(engine, network)));
    return rowsOf(name, await measureSubjects(subjects, slices));
  } finally {
    for (const { stop } of subjects) stop();
    for (const engine of engines) await engine.clear();
    await plain.remove();
  }
};

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const viaduct = bench.engines.find(({ name }) => name === 'viaduct');
  if (!viaduct) return [];
  const slices = {
    rounds: bench.rounds(14, 5),
    streamSeconds: bench.quick ? 0.3 : 0.5,
    roundTripSeconds: bench.quick ? 0.15 : 0.3,
  };
  const rows: Row[] = [];
  for (const driver of DRIVERS) {
    const build = await driver.prepare(viaduct, bench.absent);
    if (!build) continue;
    bench.say(driver.name);
    const besides = driver.name === 'bridge' && !bench.quick;
    const engines = bench.engines.filter((engine) => engine === viaduct || besides);
    rows.push(...(await measureDriver(driver, build, engines, slices)));
  }
  return rows;
};

export const drivers: Figure = {
  name: 'drivers',
  about: 'throughput and round trips per driver, beside the same made by hand',
  measure,
};

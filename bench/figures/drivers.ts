/**
 * TCP throughput and round trips between two containers and from one to the outside, per driver, beside the same network
 * made by hand: what Viaduct's rules, sysctls and firewall cost.
 */
import { existsSync } from 'node:fs';
import { hasOvsModule } from '../../src/engine/host-facts.js';
import { startOvs } from '../../test/support/ovs.js';
import { startExamplePlugin } from '../../test/support/plugin-process.js';
import { HOST, OUTSIDE, type World } from '../../test/support/world.js';
import { type Bench, containerBody, containerPid, type Figure, idOf, startContainer } from '../bench.js';
import type { Engine, EngineName } from '../engine.js';
import {
  addressIn,
  type Duration,
  type Kind,
  makeReady,
  measureTraffic,
  type Routes,
  type Subject,
  type Values,
} from '../load/traffic.js';
import {
  type Build,
  bridgeBesideAnother,
  type Ends,
  guardedBridge,
  guardedOvs,
  type HandMade,
  makeByHand,
  onParent,
  plainBridge,
  plainOvs,
  SUBNET,
  setBridgeNetfilter,
} from '../plain.js';
import { ofPlain, type Row } from '../row.js';
import { onEnd } from '../undo.js';

const WAYS = ['to a container', 'to the outside'] as const;
type Way = (typeof WAYS)[number];
const KINDS: readonly Kind[] = ['throughput', 'round trip'];

const routesOf = async ({ a, b, outside }: Ends): Promise<Routes<Way>> => ({
  'to a container': { from: a, to: b, address: await addressIn(b) },
  'to the outside': { from: a, to: outside, address: OUTSIDE.ipv4 },
});

interface Driver {
  readonly name: string;
  readonly network: object;
  /** on a Linux bridge: measured with br_netfilter off, and beside one with rules once more with br_netfilter on */
  readonly bridged?: true;
  /** how many networks are measured in turn, with the one of Viaduct's */
  readonly networks: number;
  /** the same by hand, as Viaduct's machine has it; undefined where this machine has not what it takes */
  readonly prepare: (viaduct: Engine, absent: Bench['absent']) => Promise<ByHand | undefined>;
}

interface ByHand {
  readonly plain: Build;
  readonly guarded?: Guarded;
}

/**
 * With rules that do what Viaduct's do: by way, where the plain one does less, what it is. The target is beside what does
 * the same work (ADR 9).
 */
interface Guarded {
  readonly build: Build;
  readonly does: Partial<Record<Way, string>>;
}

/** Both sit on the wire between the machine and the outside. */
const onTheWire = (name: string, type: string): Driver => ({
  name,
  networks: 2,
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
    if (code === 0) return { plain: onParent(type) };
    absent(`drivers: ${name}: this kernel has none (${stderr.trim()})`);
    return undefined;
  },
});

const OVS_PROGRAM = '/usr/sbin/ovs-vswitchd';

const ROUTES =
  'the one by hand tracks connections, accepts those under way and translates addresses (masquerade), as Viaduct does';

/** Open vSwitch's module comes last: from then on the kernel tracks connections in every namespace, by hand or not. */
const DRIVERS: readonly Driver[] = [
  {
    name: 'bridge',
    network: { Driver: 'bridge' },
    networks: 5,
    bridged: true,
    prepare: async () => ({
      plain: plainBridge,
      guarded: {
        build: guardedBridge,
        does: {
          'to a container': 'the one by hand refuses forged senders, as Viaduct does',
          'to the outside': `${ROUTES}, and refuses forged senders`,
        },
      },
    }),
  },
  onTheWire('macvlan', 'macvlan mode bridge'),
  onTheWire('ipvlan', 'ipvlan mode l2'),
  {
    name: 'plugin',
    networks: 5,
    bridged: true,
    network: { Driver: 'example', IPAM: { Config: [{ Subnet: `${SUBNET}.0/24`, Gateway: `${SUBNET}.1` }] } },
    prepare: async ({ world }) => {
      const plugin = await startExamplePlugin(world);
      onEnd(() => void plugin.kill());
      await world.outside(`ip route add ${SUBNET}.0/24 via ${HOST.ipv4}`); // it translates nothing
      return {
        plain: plainBridge,
        guarded: {
          build: bridgeBesideAnother,
          does: {
            'to the outside':
              'the one by hand is on a machine that tracks connections and translates addresses for another network, as Viaduct’s does',
          },
        },
      };
    },
  },
  {
    name: 'ovs',
    networks: 3,
    network: { Driver: 'ovs' },
    prepare: async ({ world }, absent) => {
      if (existsSync(OVS_PROGRAM)) {
        onEnd((await startOvs(world.base, world.enter)).remove);
        const datapath = hasOvsModule() ? 'system' : 'netdev'; // as Viaduct chooses
        return {
          plain: plainOvs(datapath),
          guarded: { build: guardedOvs(datapath), does: { 'to the outside': ROUTES } },
        };
      }
      absent(`drivers: ovs: no ${OVS_PROGRAM} (Debian's openvswitch-switch)`);
      return undefined;
    },
  },
];

export const DRIVER_NAMES: readonly string[] = DRIVERS.map(({ name }) => name);

const containersOf = async (engine: Engine, network: object): Promise<Ends> => {
  const body = JSON.stringify({ Name: 'measured', ...network });
  idOf((await engine.api('POST', '/networks/create', body)).json);
  const start = async (): Promise<string> => {
    const { id } = await startContainer(engine, containerBody('measured'));
    return `/proc/${await containerPid(engine, id)}/ns/net`;
  };
  return { a: await start(), b: await start(), outside: engine.world.netns.outside };
};

/**
 * In turn with Viaduct: the plain devices, and dockerd where it has the driver; one by hand with rules; for
 * a bridge, Viaduct and that one again where br_netfilter is on.
 */
type Maker = 'plain' | EngineName | 'guarded' | 'viaduct, br_netfilter' | 'guarded, br_netfilter';

/** Rows beside one by hand with rules: what is compared, and where. */
const BESIDE_GUARDED = [
  { viaduct: 'viaduct', guarded: 'guarded', where: '' },
  { viaduct: 'viaduct, br_netfilter', guarded: 'guarded, br_netfilter', where: ', with br_netfilter' },
] as const satisfies readonly {
  readonly viaduct: Maker;
  readonly guarded: Maker;
  readonly where: string;
}[];

const withoutTarget = ({ target: _, ...rest }: Row): Row => rest;

const rowsOf = (driver: string, values: Values<Maker, Way>, does: Guarded['does'] = {}): readonly Row[] => {
  const row = (way: Way, kind: Kind): Row => ({
    title: `${driver}: ${way}, ${kind}`,
    unit: kind === 'throughput' ? 'Gbit/s' : 'µs',
    better: kind === 'throughput' ? 'more' : 'less',
    target: ofPlain(97),
    samples: { viaduct: values.get('viaduct', way, kind), dockerd: values.get('dockerd', way, kind) },
    plain: values.get('plain', way, kind),
    note: kind === 'throughput' ? 'iperf3, one TCP stream' : 'one byte there and back over TCP',
  });
  const besideGuarded = (all: Row, way: Way, kind: Kind, note: string | undefined): readonly Row[] =>
    (note === undefined ? [] : BESIDE_GUARDED)
      .filter(({ guarded }) => values.get(guarded, way, kind).length > 0)
      .map(({ viaduct, guarded, where }) => ({
        ...(where === '' ? all : withoutTarget(all)),
        title: `… beside one with rules${where}, ${way}, ${kind}`,
        samples: { viaduct: values.get(viaduct, way, kind), dockerd: [] },
        plain: values.get(guarded, way, kind),
        ...(note === undefined ? {} : { note }),
      }));
  return WAYS.flatMap((way) =>
    KINDS.flatMap((kind) => {
      const all = row(way, kind);
      const less = does[way] !== undefined;
      return [less ? withoutTarget(all) : all, ...besideGuarded(all, way, kind, does[way])];
    }),
  );
};

/** The same, with br_netfilter on or off on its machine while it is measured. */
const whereFiltered = (subject: Subject<Maker, Way>, world: World, on: boolean): Subject<Maker, Way> => ({
  ...subject,
  throughput: async (...args) => {
    await setBridgeNetfilter(world, on);
    return subject.throughput(...args);
  },
  roundTrip: async (...args) => {
    await setBridgeNetfilter(world, on);
    return subject.roundTrip(...args);
  },
});

const measureDriver = async (
  { name, network, bridged }: Driver,
  { plain, guarded }: ByHand,
  engines: readonly Engine[],
  duration: Duration,
): Promise<readonly Row[]> => {
  const made: HandMade[] = [];
  const subjects: Subject<Maker, Way>[] = [];
  const add = async (maker: Maker, ends: Ends, world: World): Promise<void> => {
    const subject = await makeReady(maker, await routesOf(ends));
    subjects.push(bridged ? whereFiltered(subject, world, false) : subject);
    if (bridged && guarded && (maker === 'viaduct' || maker === 'guarded'))
      subjects.push({
        ...whereFiltered(subject, world, true),
        name: `${maker}, br_netfilter`,
        stop: () => {},
      });
  };
  const addByHand = async (maker: Maker, how: Build): Promise<void> => {
    const network = await makeByHand(how);
    made.push(network);
    await add(maker, network.ends, network.world);
  };
  try {
    await addByHand('plain', plain);
    for (const engine of engines) await add(engine.name, await containersOf(engine, network), engine.world);
    if (guarded) await addByHand('guarded', guarded.build);
    return rowsOf(name, await measureTraffic(subjects, WAYS, duration), guarded?.does);
  } finally {
    for (const { stop } of subjects) stop();
    for (const engine of engines) await engine.clear();
    for (const { remove } of made) await remove();
  }
};

/**
 * Seconds: of all drivers together, shared by how many networks each has measured in turn; of one stream; of one series of
 * round trips. Longer where the processor is an emulated one, for few bytes pass there in a second; few rounds are enough,
 * since its clock counts instructions.
 */
const SECONDS = {
  full: { total: 120, stream: 0.3, roundTrip: 0.1 },
  quick: { total: 21, stream: 0.2, roundTrip: 0.05 },
  emulated: { total: 150, stream: 1, roundTrip: 0.25 },
} as const;

const durationOf = ({ quick, emulated }: Bench, share: number): Duration => {
  const { total, ...each } = SECONDS[emulated ? 'emulated' : quick ? 'quick' : 'full'];
  return { total: total * share, ...each };
};

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const viaduct = bench.engines.find(({ name }) => name === 'viaduct');
  if (!viaduct) return [];
  const chosen = DRIVERS.filter(({ name }) => bench.drivers.length === 0 || bench.drivers.includes(name));
  const enginesFor = ({ name }: Driver): readonly Engine[] =>
    bench.engines.filter((engine) => engine === viaduct || (name === 'bridge' && !bench.quick));
  const networksOf = (driver: Driver): number => driver.networks + enginesFor(driver).length - 1;
  const networks = chosen.reduce((sum, driver) => sum + networksOf(driver), 0);
  const rows: Row[] = [];
  for (const driver of chosen) {
    const byHand = await driver.prepare(viaduct, bench.absent);
    if (!byHand) continue;
    bench.say(driver.name);
    const duration = durationOf(bench, networksOf(driver) / networks);
    rows.push(...(await measureDriver(driver, byHand, enginesFor(driver), duration)));
  }
  return rows;
};

export const drivers: Figure = {
  name: 'drivers',
  about: 'throughput and round trips per driver, beside the same made by hand',
  measure,
};

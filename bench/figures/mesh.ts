/**
 * What passes between hosts of a swarm, beside the same made by hand: from container to container over an overlay network, to a service's
 * address, and from outside to a published port of a node that has no task of it.
 */
import { type Bench, containerBody, containerPid, type Figure, startContainer } from '../bench.js';
import type { EngineName } from '../engine.js';
import {
  addressIn,
  type Duration,
  type Kind,
  makeReady,
  measureTraffic,
  PORTS,
  type Routes,
  type Subject,
} from '../load/traffic.js';
import { setBridgeNetfilter } from '../plain.js';
import { makeOverlayByHand, OVERLAY_WAYS, type OverlayWay } from '../plain-overlay.js';
import { ofPlain, type Row } from '../row.js';
import {
  makeOverlay,
  makeService,
  runningTasks,
  type Swarm,
  sandboxesOf,
  virtualIp,
  whenever,
  withSwarms,
} from '../swarm.js';

const KINDS: readonly { readonly kind: Kind; readonly unit: Row['unit']; readonly better: Row['better'] }[] =
  [
    { kind: 'throughput', unit: 'Gbit/s', better: 'more' },
    { kind: 'round trip', unit: 'µs', better: 'less' },
    { kind: 'connections', unit: '1/s', better: 'more' },
  ];

const BY_HAND =
  'the one by hand refuses forged senders, 127/8 from outside and VXLAN of strangers and containers, does not track VXLAN, and is on hosts that track, drop what belongs to no flow, and translate for another network';
const NOTES: Readonly<Record<OverlayWay, string>> = {
  overlay: BY_HAND,
  'address of a service': `${BY_HAND}; one dnat in the caller’s namespace`,
  'published port': `${BY_HAND}; the task sees the client’s address and answers by the node that was called, also where one client calls several from one port: dnat on the node, a zone and a mark for each node in the task’s namespace`,
  'published port, clients hidden': `${BY_HAND}; dnat and masquerade on the node: the task sees the node’s address, by Viaduct the client’s`,
};

/** Where a client is hidden less is done than Viaduct does. */
const TITLES: Readonly<Record<OverlayWay, string>> = {
  overlay: 'overlay',
  'address of a service': 'address of a service',
  'published port': 'published port',
  'published port, clients hidden': '… beside one that hides the client',
};

const sandbox = async (swarm: Swarm, node: number, network: string): Promise<string> => {
  const on = swarm.node(node);
  const { id } = await startContainer(on, containerBody(network));
  return `/proc/${await containerPid(on, id)}/ns/net`;
};

const routesOf = async (bench: Bench, swarm: Swarm): Promise<Routes<OverlayWay>> => {
  await makeOverlay(swarm, 'plain', '10.96.1.0/24');
  await makeOverlay(swarm, 'served', '10.96.2.0/24');
  const [a, b] = [await sandbox(swarm, 1, 'plain'), await sandbox(swarm, 2, 'plain')];
  const caller = await sandbox(swarm, 1, 'served');
  const service = await makeService(swarm, 'served', 1, {
    task: { Networks: [{ Target: 'served' }], Placement: { Constraints: ['node.role==worker'] } },
    EndpointSpec: {
      Ports: Object.values(PORTS).map((port) => ({ Protocol: 'tcp', TargetPort: port, PublishedPort: port })),
    },
  });
  await whenever(bench, 'the task runs', async () => (await runningTasks(swarm, service)) === 1);
  const [task = ''] = await sandboxesOf(swarm, service);
  const published = { from: swarm.outside, to: task, address: swarm.manager.ipv4 };
  return {
    overlay: { from: a, to: b, address: await addressIn(b) },
    'address of a service': { from: caller, to: task, address: await virtualIp(swarm, service, 'served') },
    'published port': published,
    'published port, clients hidden': published,
  };
};

/** Seconds; as in the figure of the drivers. */
const SECONDS = {
  full: { total: 90, stream: 0.3, roundTrip: 0.1, connections: 0.3 },
  quick: { total: 15, stream: 0.2, roundTrip: 0.05, connections: 0.2 },
  emulated: { total: 200, stream: 1, roundTrip: 0.25, connections: 0.5 },
} as const satisfies Readonly<Record<string, Duration>>;

const measure = (bench: Bench): Promise<readonly Row[]> =>
  withSwarms(bench, 2, async (swarms) => {
    const hand = await makeOverlayByHand();
    const subjects: Subject<EngineName | 'plain', OverlayWay>[] = [];
    try {
      subjects.push(await makeReady('plain', hand.routes));
      for (const swarm of swarms) subjects.push(await makeReady(swarm.name, await routesOf(bench, swarm)));
      // A property of the machine, as for the drivers: off for all alike.
      for (const world of [...hand.hosts, ...swarms.flatMap(({ nodes }) => nodes.map((node) => node.world))])
        await setBridgeNetfilter(world, false);
      const seconds = SECONDS[bench.emulated ? 'emulated' : bench.quick ? 'quick' : 'full'];
      const values = await measureTraffic(subjects, OVERLAY_WAYS, seconds);
      return OVERLAY_WAYS.flatMap((way) =>
        KINDS.map(
          ({ kind, unit, better }): Row => ({
            title: `${TITLES[way]}, ${kind}`,
            unit,
            better,
            ...(way === 'published port, clients hidden' ? {} : { target: ofPlain(97) }),
            samples: { viaduct: values.get('viaduct', way, kind), dockerd: values.get('dockerd', way, kind) },
            plain: values.get('plain', way, kind),
            note: NOTES[way],
          }),
        ),
      );
    } finally {
      for (const { stop } of subjects) stop();
      await hand.remove();
    }
  });

export const mesh: Figure = {
  name: 'mesh',
  about: 'overlay, a service’s address and published ports between hosts, beside the same made by hand',
  hosts: 'own',
  measure,
};

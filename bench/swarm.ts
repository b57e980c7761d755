/**
 * A swarm to measure: machines on one wire, each with an engine of its own, the first of them the manager. Docker's is there
 * where the kernel has ip_vs. Invariant: at its end every node has left before its engine is stopped.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { attempt } from '../test/support/run.js';
import { createWire, onWire } from '../test/support/world.js';
import { type Bench, containerPid } from './bench.js';
import { docker, type Engine, type EngineName, objects } from './engine.js';
import { onEnd } from './undo.js';

interface SwarmNode extends Engine {
  readonly ipv4: string;
}

export interface Swarm {
  readonly name: EngineName;
  readonly manager: SwarmNode;
  /** the manager among them, the first */
  readonly nodes: readonly SwarmNode[];
  /** path of the network namespace of whoever is outside, on the same wire */
  readonly outside: string;
  /** the node of this number, from 1 on */
  node(number: number): SwarmNode;
  stop(): Promise<void>;
}

/** Resolves when `condition` holds, having looked each `stepMs`; rejects after a minute, twenty where the processor is emulated. */
export const whenever = async (
  { emulated }: Pick<Bench, 'emulated'>,
  what: string,
  condition: () => Promise<boolean>,
  stepMs = 5,
): Promise<void> => {
  const end = performance.now() + (emulated ? 1_200_000 : 60_000);
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await sleep(stepMs);
  }
};

/** What lists of nodes and of tasks say of each. */
const statesShape = z.array(z.object({ Status: z.object({ State: z.string() }) }));

const leave = async ({ api }: Engine): Promise<unknown> =>
  api('POST', '/swarm/leave?force=1').catch(() => undefined); // it has left, or its daemon is gone

const startOne = async (bench: Bench, name: EngineName, count: number): Promise<Swarm> => {
  const making = createWire();
  const removeWire = onEnd(async () => (await making).remove());
  const wire = await making;
  const nodes: SwarmNode[] = [];
  const stop = onEnd(async () => {
    for (const node of [...nodes].reverse()) await leave(node);
    for (const node of [...nodes].reverse()) await node.stop();
    await removeWire();
  });
  for (let number = 1; number <= count; number += 1)
    nodes.push({ ...(await bench.start(name, { wire, number })), ipv4: onWire(number).ipv4 });
  const node = (number: number): SwarmNode => {
    const found = nodes[number - 1];
    if (!found) throw new Error(`this swarm has no node ${number}`);
    return found;
  };
  const manager = node(1);
  const say = (on: Engine, ...args: readonly string[]): Promise<string> => docker(on, bench.client, ...args);
  await say(manager, 'swarm', 'init', '--advertise-addr', manager.ipv4);
  const token = await say(manager, 'swarm', 'join-token', '-q', 'worker');
  for (const other of nodes.slice(1)) await say(other, 'swarm', 'join', '--token', token, manager.ipv4);
  await whenever(bench, 'all nodes are ready', async () => {
    const found = statesShape.parse((await manager.api('GET', '/nodes')).json);
    return found.length === count && found.every(({ Status }) => Status.State === 'ready');
  });
  return { name, manager, nodes, outside: wire.netns, node, stop };
};

/** Debian's dockerd balances by ip_vs, which not every kernel has. */
const hasIpvs = async (): Promise<boolean> => (await attempt('modprobe', ['ip_vs'])).code === 0;

/** Of each engine that is measured one of `count` nodes, to `measure` all in turn; gone when it is done. */
export const withSwarms = async <Result>(
  bench: Bench,
  count: number,
  measure: (swarms: readonly Swarm[]) => Promise<Result>,
): Promise<Result> => {
  const swarms: Swarm[] = [];
  try {
    for (const name of bench.names) {
      if (name === 'dockerd' && !(await hasIpvs())) {
        bench.absent('Docker’s swarm: this kernel has no ip_vs (`npm run bench:vm` has)');
        continue;
      }
      bench.say(`a swarm of ${count}: ${name}`);
      swarms.push(await startOne(bench, name, count));
    }
    return await measure(swarms);
  } finally {
    for (const swarm of swarms) await swarm.stop();
  }
};

export const makeOverlay = async ({ manager }: Swarm, name: string, subnet: string): Promise<void> =>
  void (await manager.api('POST', '/networks/create', {
    ...{ Name: name, Driver: 'overlay', Attachable: true },
    IPAM: { Config: [{ Subnet: subnet }] },
  }));

/** A service of sleeping tasks. `more` is laid over the specification. */
export const makeService = async (
  { manager }: Swarm,
  name: string,
  replicas: number,
  { task = {}, ...more }: { readonly task?: object; readonly EndpointSpec?: object } = {},
): Promise<string> => {
  const { json } = await manager.api('POST', '/services/create', {
    Name: name,
    Mode: { Replicated: { Replicas: replicas } },
    TaskTemplate: {
      ContainerSpec: { Image: 'alpine', Command: ['sleep', '1000000'], StopSignal: 'SIGKILL' },
      ...task,
    },
    ...more,
  });
  return z.object({ ID: z.string() }).parse(json).ID;
};

const filters = (of: Readonly<Record<string, readonly string[]>>): string =>
  encodeURIComponent(JSON.stringify(of));

export const runningTasks = async ({ manager }: Swarm, service: string): Promise<number> => {
  const wanted = filters({ service: [service], 'desired-state': ['running'] });
  const found = statesShape.parse((await manager.api('GET', `/tasks?filters=${wanted}`)).json);
  return found.filter(({ Status }) => Status.State === 'running').length;
};

const serviceShape = z.object({
  Version: z.object({ Index: z.number() }),
  Spec: z.looseObject({ TaskTemplate: z.looseObject({}) }),
  UpdateStatus: z.object({ State: z.string().optional() }).optional(),
  Endpoint: z
    .object({
      VirtualIPs: z.array(z.object({ NetworkID: z.string(), Addr: z.string().optional() })).optional(),
    })
    .optional(),
});

const inspected = async ({ manager }: Swarm, service: string): Promise<z.infer<typeof serviceShape>> =>
  serviceShape.parse((await manager.api('GET', `/services/${service}`)).json);

/** Its address on the network, bare. */
export const virtualIp = async (swarm: Swarm, service: string, network: string): Promise<string> => {
  const { Endpoint } = await inspected(swarm, service);
  const { Id } = z
    .object({ Id: z.string() })
    .parse((await swarm.manager.api('GET', `/networks/${network}`)).json);
  const found = Endpoint?.VirtualIPs?.find(({ NetworkID }) => NetworkID === Id)?.Addr;
  if (found === undefined) throw new Error(`the service has no address on ${network}`);
  return found.replace(/\/.*/, '');
};

/** Makes all its tasks anew, at once, and waits until that is completed. */
export const updateService = async (bench: Bench, swarm: Swarm, service: string): Promise<void> => {
  const { Version, Spec } = await inspected(swarm, service);
  await swarm.manager.api('POST', `/services/${service}/update?version=${Version.Index}`, {
    ...Spec,
    UpdateConfig: { Parallelism: 0, Monitor: 1, Order: 'stop-first' },
    TaskTemplate: { ...Spec.TaskTemplate, ForceUpdate: 1 },
  });
  await whenever(
    bench,
    'the update is completed',
    async () => (await inspected(swarm, service)).UpdateStatus?.State === 'completed',
  );
};

/** Takes the service away, and waits until no node has a container of it. */
export const removeService = async (bench: Bench, swarm: Swarm, service: string): Promise<void> => {
  await swarm.manager.api('DELETE', `/services/${service}`);
  await whenever(
    bench,
    'its containers are gone',
    async () => (await containersOf(swarm, service)).length === 0,
    20,
  );
};

interface Found {
  readonly node: SwarmNode;
  readonly id: string;
}

const containersOf = async ({ nodes }: Swarm, service: string): Promise<readonly Found[]> => {
  const label = filters({ label: [`com.docker.swarm.service.id=${service}`] });
  const all = await Promise.all(
    nodes.map(async (node) =>
      objects(await node.api('GET', `/containers/json?all=1&filters=${label}`)).map(({ Id }) => ({
        node,
        id: String(Id),
      })),
    ),
  );
  return all.flat();
};

/** Paths of the network namespaces of its tasks. */
export const sandboxesOf = async (swarm: Swarm, service: string): Promise<readonly string[]> =>
  Promise.all(
    (await containersOf(swarm, service)).map(
      async ({ node, id }) => `/proc/${await containerPid(node, id)}/ns/net`,
    ),
  );

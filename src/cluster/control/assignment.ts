/**
 * What one node is to have, and no more: its tasks, the secrets and configs that those need, the networks that they or containers
 * of its own are on, who else is there, and which nodes there are.
 *
 * It is in parts: what is the node's own is made each time, and costs what its tasks cost; a network's part is made once for all
 * nodes (shared.ts) when something on it has changed, and costs what is on the network; parts that are the same object are the
 * same. So a task that changes costs its node's tasks, and once the tasks of its networks; each other node on them one look at each
 * peer. The ingress network is every node's.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Blob, SwarmNetwork } from '../../model/swarm/cluster.js';
import type { PortConfig } from '../../model/swarm/endpoint.js';
import {
  REGISTRY_CREDENTIALS,
  type Service,
  type SpecVersion,
  type TaskSpec,
} from '../../model/swarm/service.js';
import { hasEnded, isAfter, type Task } from '../../model/swarm/task.js';
import type { AssignedItem } from '../session/assigned.js';
import { writtenOf } from './draft.js';
import { specOf } from './restart.js';
import { collected, type Items, isAtNode, Shared } from './shared.js';
import { type ClusterState, isWanted } from './state.js';

/** By a name of the part. */
export type Assigned = ReadonlyMap<string, Items>;

export interface AssignedTo {
  readonly nodeId: string;
  /** networks that it has asked for, for a container that is to come */
  readonly asked: ReadonlySet<string>;
  /** Its content in base64; undefined: it cannot be opened. */
  readonly openSecret: (secret: Pick<Blob, 'id' | 'data'>) => string | undefined;
}

/** A port that was left open is as it was chosen for the service. */
const portsOf = ({ endpoint }: SpecVersion, service: Service | undefined): readonly PortConfig[] =>
  (endpoint?.ports ?? []).map((port) => {
    if (port.publishedPort !== 0) return port;
    const chosen = service?.endpoint?.ports.find(
      ({ protocol, targetPort, mode }) =>
        protocol === port.protocol && targetPort === port.targetPort && mode === port.mode,
    );
    return chosen ?? port;
  });

/** With the credentials for its image clear, where there are any. */
const opened = ({ registryAuth, ...rest }: TaskSpec, openSecret: AssignedTo['openSecret']): TaskSpec => {
  const clear =
    registryAuth === undefined ? undefined : openSecret({ id: REGISTRY_CREDENTIALS, data: registryAuth });
  return clear === undefined ? rest : { ...rest, registryAuth: clear };
};

const taskItem = (
  state: ClusterState,
  task: Task,
  openSecret: AssignedTo['openSecret'],
): AssignedItem | undefined => {
  const spec = specOf(state, task);
  if (!spec) return undefined;
  const { name, labels } = spec;
  const made = opened(spec.task, openSecret);
  const ports = portsOf(spec, state.get('service', task.serviceId));
  const { state: now, message, err, at } = state.status(task);
  // The record's own types say more than the codec's.
  return {
    kind: 'task',
    ...writtenOf(task),
    // A node that has lost what it knew must not begin again with what has ended.
    ...(hasEnded(now) ? { status: { state: now, message, err, at } } : {}),
    service: { name, labels },
    made,
    ports,
  } as unknown as AssignedItem;
};

const contentOf = ({ id, name, templating }: Blob, data: string) => ({
  ...{ id, name, data },
  ...(templating ? { template: true as const } : {}),
});

const filesFor = (
  state: ClusterState,
  task: Task,
  openSecret: AssignedTo['openSecret'],
): readonly AssignedItem[] => {
  if (!isWanted(task) || hasEnded(state.status(task).state)) return [];
  const { secrets = [], configs = [] } = specOf(state, task)?.task ?? {};
  return [
    ...secrets.flatMap((reference): readonly AssignedItem[] => {
      const secret = state.get('secret', reference.id);
      const data = secret && openSecret(secret);
      return secret && data !== undefined ? [{ kind: 'secret', ...contentOf(secret, data) }] : [];
    }),
    ...configs.flatMap((reference): readonly AssignedItem[] => {
      const config = state.get('config', reference.id);
      return config ? [{ kind: 'config', ...contentOf(config, config.data) }] : [];
    }),
  ];
};

const networksFor = (
  state: ClusterState,
  tasks: readonly Task[],
  { nodeId, asked }: AssignedTo,
): readonly SwarmNetwork[] => {
  const ids = new Set([
    ...asked,
    ...tasks.flatMap(({ networks }) => networks.map(({ networkId }) => networkId)),
    ...[...state.onNetworks.attachmentsOn(nodeId).values()].map(({ networkId }) => networkId),
  ]);
  return [...state.all('network').values()].filter(({ id, ingress }) => ingress || ids.has(id));
};

/** With the same `shared` each time, most parts are those of the last time; without it the same is answered. */
export const assignedTo = (
  state: ClusterState,
  to: AssignedTo,
  shared: Shared = new Shared(state),
): Assigned => {
  const { nodeId, openSecret } = to;
  // Also what has ended, for as long as its record is kept: so long its node keeps the container, and with it what it said.
  const known = [...state.tasksOn(nodeId).tasks.values()].filter(
    ({ status }) => !isAfter('assigned', status.state),
  );
  const tasks = known.filter((task) => isAtNode(state, task));
  const own = known.flatMap((task) => {
    const item = taskItem(state, task, openSecret);
    return item ? [item, ...filesFor(state, task, openSecret)] : [];
  });
  return new Map([
    ['own', collected(own)],
    ['nodes', shared.nodes()],
    ...networksFor(state, tasks, to).map(
      (network) => [`network/${network.id}`, shared.network(network, nodeId)] as const,
    ),
  ]);
};

/** All of it, by `itemKey`. */
export const itemsOf = (assigned: Assigned): Items =>
  new Map([...assigned.values()].flatMap((items) => [...items]));

const NOTHING: Items = new Map();

/** What has to be told to who has been told `before`: items, and keys of those that are no more. */
export const difference = (
  before: Assigned,
  after: Assigned,
): { readonly set: AssignedItem[]; readonly unset: string[] } => {
  const set: AssignedItem[] = [];
  const unset: string[] = [];
  for (const [part, items] of before) {
    const now = after.get(part) ?? NOTHING;
    if (now !== items) for (const key of items.keys()) if (!now.has(key)) unset.push(key);
  }
  for (const [part, items] of after) {
    const then = before.get(part) ?? NOTHING;
    if (then === items) continue;
    for (const [key, item] of items) {
      const known = then.get(key);
      if (known !== item && !isDeepStrictEqual(known, item)) set.push(item);
    }
  }
  return { set, unset };
};

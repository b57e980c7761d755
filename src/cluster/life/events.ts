/** What `docker events` tells of a cluster's nodes, services, networks, secrets and configs, on every manager, from what its mirror saw. Pure. */
import type { EngineEvent } from '../../model/events.js';
import type { Blob, SwarmNetwork } from '../../model/swarm/cluster.js';
import type { Node, NodeState } from '../../model/swarm/node.js';
import type { Service } from '../../model/swarm/service.js';
import type { ClusterState } from '../control/state.js';
import type { RecordChange } from '../mirror/index.js';

type Told = Omit<EngineEvent, 'timeNano'>;

type Attributes = Readonly<Record<string, string>>;

/** Of each that is not what it was: `NAME.old` and `NAME.new`; what there is nothing of is left out. */
const differing = (
  values: readonly (readonly [name: string, old: string | undefined, now: string | undefined])[],
): Attributes =>
  Object.fromEntries(
    values
      .filter(([, old, now]) => old !== now && now !== undefined)
      .flatMap(([name, old, now = '']) => [
        ...(old === undefined ? [] : [[`${name}.old`, old]]),
        [`${name}.new`, now],
      ]),
  );

const ofNode = (old: Node, now: Node): Attributes =>
  differing([
    ['availability', old.availability, now.availability],
    ['role', old.role, now.role],
    ['state', old.status.state, now.status.state],
  ]);

const replicasOf = ({ spec: { mode } }: Service): string | undefined =>
  mode.kind === 'replicated' ? String(mode.replicas) : undefined;

const ofService = (old: Service, now: Service): Attributes =>
  differing([
    ['image', old.spec.task.container.Image, now.spec.task.container.Image],
    ['replicas', replicasOf(old), replicasOf(now)],
    ['updatestate', old.update?.state, now.update?.state],
  ]);

const told = (
  type: Told['type'],
  id: string,
  [old, now]: readonly [unknown, unknown],
  attributes: Attributes,
): Told => ({
  type,
  action: old ? (now ? 'update' : 'remove') : 'create',
  scope: 'swarm',
  actor: { id, attributes },
});

/** `hostname`: as the node calls itself. */
const toldOfNode = ({ id, before, after }: RecordChange, hostname: string): Told => {
  const [old, now] = [before as Node | undefined, after as Node | undefined]; // the change is of a node
  const name = (now ?? old)?.name || hostname;
  return told('node', id, [old, now], { name, ...(old && now ? ofNode(old, now) : {}) });
};

const toldOfService = ({ id, before, after }: RecordChange): Told => {
  const [old, now] = [before as Service | undefined, after as Service | undefined]; // the change is of a service
  const name = (now ?? old)?.spec.name ?? '';
  return told('service', id, [old, now], { name, ...(old && now ? ofService(old, now) : {}) });
};

const toldOfBlob = (kind: 'secret' | 'config', { id, before, after }: RecordChange): Told => {
  const [old, now] = [before as Blob | undefined, after as Blob | undefined]; // the change is of one of the two
  return told(kind, id, [old, now], { name: (now ?? old)?.name ?? '' });
};

const toldOfNetwork = ({ id, before, after }: RecordChange): Told => {
  const [old, now] = [before as SwarmNetwork | undefined, after as SwarmNetwork | undefined]; // the change is of a network
  return told('network', id, [old, now], { name: (now ?? old)?.network.name ?? '' });
};

const hostnameOf = (record: unknown): string => (record as NodeState | undefined)?.description.hostname ?? ''; // of the table of node-states

/** A node that is removed takes what it said of itself along, in the same change. */
export const toldOf = (changes: readonly RecordChange[], state: Pick<ClusterState, 'get'>): readonly Told[] =>
  changes.flatMap((change) => {
    const { kind, id } = change;
    if (kind === 'service') return [toldOfService(change)];
    if (kind === 'network') return [toldOfNetwork(change)];
    if (kind === 'secret' || kind === 'config') return [toldOfBlob(kind, change)];
    if (kind !== 'node') return [];
    const gone = changes.find(({ kind, ...other }) => kind === 'node-state' && other.id === id)?.before;
    return [toldOfNode(change, hostnameOf(state.get('node-state', id) ?? gone))];
  });

/** What `docker events` tells of a cluster's nodes, on every manager, from what its mirror saw. Pure. */
import type { EngineEvent } from '../../model/events.js';
import type { Node, NodeState } from '../../model/swarm/node.js';
import type { ClusterState } from '../control/state.js';
import type { RecordChange } from '../mirror/index.js';

type Told = Omit<EngineEvent, 'timeNano'>;

const differing = (before: Node, after: Node): Readonly<Record<string, string>> => {
  const pairs = [
    ['availability', before.availability, after.availability],
    ['role', before.role, after.role],
    ['state', before.status.state, after.status.state],
  ] as const;
  return Object.fromEntries(
    pairs
      .filter(([, old, now]) => old !== now)
      .flatMap(([name, old, now]) => [
        [`${name}.old`, old],
        [`${name}.new`, now],
      ]),
  );
};

/** `hostname`: as the node calls itself. */
const toldOfNode = (
  { id, before, after }: RecordChange & { readonly kind: 'node' },
  hostname: string,
): Told => {
  const [old, now] = [before as Node | undefined, after as Node | undefined]; // the change is of a node
  const action = old ? (now ? 'update' : 'remove') : 'create';
  const name = (now ?? old)?.name || hostname;
  return {
    type: 'node',
    action,
    scope: 'swarm',
    actor: { id, attributes: { name, ...(old && now ? differing(old, now) : {}) } },
  };
};

const hostnameOf = (record: unknown): string => (record as NodeState | undefined)?.description.hostname ?? ''; // of the table of node-states

/** A node that is removed takes what it said of itself along, in the same change. */
export const toldOfNodes = (
  changes: readonly RecordChange[],
  state: Pick<ClusterState, 'get'>,
): readonly Told[] =>
  changes.flatMap((change) => {
    if (change.kind !== 'node') return [];
    const { id } = change;
    const gone = changes.find(({ kind, ...other }) => kind === 'node-state' && other.id === id)?.before;
    return [toldOfNode({ ...change, kind: 'node' }, hostnameOf(state.get('node-state', id) ?? gone))];
  });

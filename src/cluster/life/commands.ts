/** What the API asks a manager for: reads from its mirror, writes to the store, refusals in swarmkit's words. */
import { notFound } from '../../errors.js';
import type { Node } from '../../model/swarm/node.js';
import { formatToken, formatUnlockKey, newSecret, newUnlockKey, trustDigest } from '../ca/tokens.js';
import type { ClusterSpecRequest, Manager, NodeSpec, NodeView, Rotation } from '../contract.js';
import type { Mirror } from '../mirror/index.js';
import { keyOf } from '../mirror/keys.js';
import { put, remove } from '../mirror/write.js';
import { outOfSequence, rpcError } from '../rpc.js';
import { createBlobs } from './blobs.js';
import { CONFLICTS } from './commit.js';
import { createNetworks, type NetworkSettings } from './networks.js';
import type { ClusterSecrets } from './secrets.js';
import { createServices } from './services.js';
import { DEFAULT_SPEC, mergeSpec } from './spec.js';
import type { Store } from './store.js';
import { clusterTxn, succeeding, wantedAuthority } from './succession.js';
import { viewCluster, viewNode } from './view.js';

export interface CommandSettings extends Pick<NetworkSettings, 'rules' | 'dataAddress'> {
  readonly mirror: Mirror;
  readonly store: Store;
  readonly nodeId: string;
  readonly dataKey: Buffer;
  readonly secrets: () => ClusterSecrets;
  readonly logs: Manager['logs'];
  /** managers that answer, where the mirror cannot know; undefined: it can */
  readonly reachable: () => ReadonlySet<string> | undefined;
  readonly now: () => number;
}

const found = (nodes: readonly NodeView[], reference: string): NodeView | undefined => {
  const byName = nodes.filter(({ description }) => description?.hostname === reference);
  const matches = byName.length > 0 ? byName : nodes.filter(({ id }) => id.startsWith(reference));
  if (matches.length > 1)
    throw rpcError('InvalidArgument', `node ${reference} is ambiguous (${matches.length} matches found)`);
  return matches[0];
};

export const createCommands = (settings: CommandSettings): Manager => {
  const { mirror, store, now } = settings;
  const { prefix, state } = mirror;

  const cluster = () => {
    const view = viewCluster(mirror);
    if (!view) throw rpcError('Unavailable', 'this manager has not read the cluster yet');
    return view;
  };

  const nodes = (): readonly NodeView[] => {
    const reachable = settings.reachable();
    return [...state.all('node').values()].map((node) => viewNode(mirror, node, reachable));
  };

  const node = (reference: string): NodeView => {
    const record = state.get('node', reference === 'self' ? settings.nodeId : reference);
    if (record) return viewNode(mirror, record, settings.reachable());
    const named = reference === '' ? undefined : found(nodes(), reference);
    if (!named) throw notFound(`node ${reference.slice(0, 200)} not found`);
    return named;
  };

  const recordOf = (reference: string): Node => {
    const record = state.get('node', node(reference).id);
    if (!record) throw notFound(`node ${reference.slice(0, 200)} not found`);
    return record;
  };

  /** Its members that would be left, of which more than half must answer. */
  const checkDemotion = ({ id }: Node): void => {
    const managers = [...state.all('node').values()].filter(({ role }) => role === 'manager');
    if (managers.length === 1 && managers[0]?.id === id)
      throw rpcError('FailedPrecondition', 'attempting to demote the last manager of the swarm');
    const others = [...mirror.members.keys()].filter((each) => each !== id);
    const living = others.filter((each) => mirror.living.has(each));
    if (mirror.members.has(id) && living.length < Math.floor(others.length / 2) + 1)
      throw rpcError(
        'FailedPrecondition',
        `can't remove member from the raft: this would result in a loss of quorum (${living.length} of the other ${others.length} managers can be reached)`,
      );
  };

  const updateNode = async (reference: string, version: number, spec: NodeSpec): Promise<void> => {
    const record = recordOf(reference);
    if (record.role === 'manager' && spec.role === 'worker') checkDemotion(record);
    const changed: Node = {
      ...record,
      name: spec.name,
      labels: spec.labels,
      role: spec.role,
      availability: spec.availability,
      updatedAt: now(),
    };
    const written = await store.commit({
      compare: [{ key: prefix + keyOf('node', record.id), modRevision: version }],
      success: [put(prefix, 'node', changed)],
    });
    if (!written) throw outOfSequence();
  };

  const removeNode = async (reference: string, force: boolean): Promise<void> => {
    const record = recordOf(reference);
    if (record.role === 'manager' && mirror.members.has(record.id))
      throw rpcError(
        'FailedPrecondition',
        `node ${record.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
      );
    if (!force && record.status.state === 'ready')
      throw rpcError('FailedPrecondition', `node ${record.id} is not down and can't be removed`);
    const key = prefix + keyOf('node', record.id);
    const written = await store.commit({
      compare: [{ key, createRevision: record.created }],
      success: [
        remove(prefix, 'node', record.id),
        remove(prefix, 'node-state', record.id),
        remove(prefix, 'session', record.id),
      ],
    });
    if (!written) throw notFound(`node ${reference.slice(0, 200)} not found`);
  };

  /** With join tokens and the unlock key after a change; the same object where there is none. */
  const rotated = (former: ClusterSecrets, rotation: Rotation, autoLock: boolean): ClusterSecrets => {
    const tokens = {
      worker: rotation.workerToken ? newSecret() : former.tokens.worker,
      manager: rotation.managerToken ? newSecret() : former.tokens.manager,
    };
    const fresh = autoLock && (rotation.unlockKey || former.unlockKey === '');
    const unlockKey = fresh ? newUnlockKey().toString('base64') : autoLock ? former.unlockKey : '';
    const same =
      tokens.worker === former.tokens.worker &&
      tokens.manager === former.tokens.manager &&
      unlockKey === former.unlockKey;
    return same ? former : { ...former, tokens, unlockKey };
  };

  const updateCluster = async (
    version: number,
    request: ClusterSpecRequest,
    rotation: Rotation,
  ): Promise<void> => {
    for (let tries = 0; tries < CONFLICTS; tries += 1) {
      const found = state.get('cluster', '');
      if (!found) throw rpcError('Unavailable', 'this manager has not read the cluster yet');
      const { asked = found.version, ...record } = found;
      if (version < asked || version > found.version) throw outOfSequence();
      const spec = mergeSpec(DEFAULT_SPEC, request);
      const former = settings.secrets();
      const next = wantedAuthority(request, record.spec.forceRotate, now());
      const changed = { ...record, spec, updatedAt: now() };
      const secrets = rotated(former, rotation, spec.autoLock);
      const after = next
        ? succeeding({ record: changed, secrets }, next, now())
        : { record: changed, secrets };
      const written = await store.commit(
        clusterTxn({ prefix, dataKey: settings.dataKey }, after, {
          version: found.version,
          secrets: after.secrets === former ? undefined : (mirror.secrets?.revision ?? 0),
        }),
      );
      if (written) return;
    }
    throw outOfSequence();
  };

  return {
    current: mirror.current,
    cluster,
    tokens() {
      const { tokens } = settings.secrets();
      const digest = trustDigest(cluster().trustRoot);
      return {
        worker: formatToken({ digest, secret: tokens.worker }),
        manager: formatToken({ digest, secret: tokens.manager }),
      };
    },
    updateCluster,
    unlockKey() {
      const { unlockKey } = settings.secrets();
      return unlockKey === '' ? '' : formatUnlockKey(Buffer.from(unlockKey, 'base64'));
    },
    nodes,
    node,
    updateNode,
    removeNode,
    ...createNetworks(settings),
    ...createServices(settings),
    ...createBlobs(settings),
    logs: settings.logs,
  };
};

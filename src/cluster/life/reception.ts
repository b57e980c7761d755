/** What a manager decides of those who come to its door: who joins as what, who gets which certificate, who is here. */
import { setTimeout as pause } from 'node:timers/promises';
import { unwritten } from '../../model/swarm/kept.js';
import type { Node, NodeState } from '../../model/swarm/node.js';
import { issue } from '../ca/authority.js';
import type { CertificateRequest, NodeIdentity } from '../ca/contract.js';
import { bridgesIn } from '../ca/succession.js';
import { sameSecret } from '../ca/tokens.js';
import type { Etcd } from '../etcd/contract.js';
import { newId } from '../ids.js';
import type { ServiceLogs } from '../logs/index.js';
import type { Mirror } from '../mirror/index.js';
import { keyOf } from '../mirror/keys.js';
import { put, remove, textOf } from '../mirror/write.js';
import { rpcError } from '../rpc.js';
import type { Ask, Reception } from '../session/contract.js';
import type { ManagerAddress, Role } from '../session/protocol.js';
import { WORDS } from '../words.js';
import { joinPlace, splitPlace } from './addresses.js';
import type { Attachments } from './attachments.js';
import type { Epochs } from './epochs.js';
import type { Membership } from './membership.js';
import type { Register } from './register.js';
import type { Reports } from './reports.js';
import { trustIn } from './roles.js';
import type { ClusterSecrets } from './secrets.js';
import type { Store } from './store.js';

const NS_PER_MS = 1_000_000;
/** how long a node's hello waits until others can know of it */
const WRITE_MS = 3_000;
const LOOK_MS = 20;
/** how often somebody else may change a node while it leaves */
const CONFLICTS = 5;

export interface ReceptionSettings {
  readonly mirror: Mirror;
  readonly store: Store;
  readonly register: Register;
  readonly etcd: Pick<Etcd, 'range'>;
  readonly membership: Pick<Membership, 'welcome'>;
  readonly dataKey: Buffer;
  /** Throws where they are not known yet. */
  readonly secrets: () => ClusterSecrets;
  readonly managers: () => readonly ManagerAddress[];
  readonly epochs: Epochs;
  readonly reports: Reports;
  readonly attachments: Attachments;
  readonly logs: Pick<ServiceLogs, 'pass' | 'taker'>;
  readonly now: () => number;
}

/** `host:port` with the address that a node is seen at, where it does not say one. */
const reachedAt = (told: string, seen: string): string => {
  const place = splitPlace(told);
  return place && place.host === '' ? joinPlace({ host: seen, port: place.port }) : told;
};

const hostOf = (address: string): string => splitPlace(address)?.host ?? address;

export const freshNode = (
  id: string,
  now: number,
  as: { readonly role: Role; readonly availability: Node['availability'] },
): Node => ({
  ...unwritten(now),
  id,
  name: '',
  labels: {},
  role: as.role,
  availability: as.availability,
  createdAt: now,
  updatedAt: now,
  number: 0,
  status: { state: 'unknown', message: '' },
});

export const createReception = (settings: ReceptionSettings): Reception => {
  const { mirror, store, register, etcd, epochs, reports, now, secrets } = settings;
  const { prefix, state } = mirror;
  const key = (kind: Parameters<typeof keyOf>[0], id: string): string => prefix + keyOf(kind, id);

  const cluster = () => {
    const found = state.get('cluster', '');
    if (!found) throw rpcError('Unavailable', 'this manager has not read the cluster yet');
    return found;
  };

  const certify = (
    request: CertificateRequest,
    of: { readonly nodeId: string; readonly role: Role; readonly advertise: string },
  ) => ({
    certificate: issue(secrets().next ?? secrets().authority, request, {
      nodeId: of.nodeId,
      role: of.role,
      clusterId: cluster().id,
      addresses: [hostOf(of.advertise)],
      now: now(),
      validFor: cluster().spec.nodeCertExpiry / NS_PER_MS,
    }).concat(bridgesIn(cluster())),
    authorities: cluster().authorities,
    nodeId: of.nodeId,
    clusterId: cluster().id,
    role: of.role,
    advertise: of.advertise,
    managers: [...settings.managers()],
  });

  /** A manager that is cut off knows nothing of the authority that has taken another's place: it must not give certificates. */
  const knowAuthorities = async (): Promise<void> => {
    const { entries, revision } = await etcd.range({ key: key('cluster', '') });
    await mirror.reached(revision);
    if (cluster().version < (entries[0]?.modRevision ?? 0))
      throw rpcError('Unavailable', 'this manager has not read the cluster yet');
  };

  const roleByToken = (secret: string): Role => {
    const { tokens } = secrets();
    if (sameSecret(secret, tokens.manager)) return 'manager';
    if (sameSecret(secret, tokens.worker)) return 'worker';
    throw rpcError('InvalidArgument', 'A valid join token is necessary to join this cluster');
  };

  const nodeOf = ({ nodeId }: NodeIdentity): Node => {
    const found = state.get('node', nodeId);
    if (!found) throw rpcError('NotFound', `node ${nodeId} not found`);
    return found;
  };

  const keepState = (said: NodeState): Promise<void> => {
    const former = state.get('node-state', said.id);
    const value = textOf(said);
    return former && textOf(former) === value
      ? Promise.resolve()
      : register.keep(keyOf('node-state', said.id), value);
  };

  const keepCondition = async (
    id: string,
    { description, routes = [], faults = [] }: Ask<'describe'>,
  ): Promise<void> => {
    const former = state.get('node-state', id);
    if (former) await keepState({ ...former, description, routes, faults });
  };

  const beginSession = (id: string): Promise<void> => {
    reports.forget(id);
    return register.set(keyOf('session', id), epochs.begin(id));
  };

  const endSession = (id: string): Promise<void> => {
    reports.forget(id);
    epochs.end(id);
    return register.set(keyOf('session', id), undefined);
  };

  /** Down, and without a session, in one moment: else the leader would give it time to come back. */
  const markDown = (node: Node): Promise<boolean> => {
    const gone: Node = { ...node, updatedAt: now(), status: { state: 'down', message: WORDS.left } };
    return store.commit({
      compare: [{ key: key('node', node.id), modRevision: node.version }],
      success: [put(prefix, 'node', gone), remove(prefix, 'session', node.id)],
    });
  };

  /** A node that is new is welcome when the leader takes it for one that tasks can be given to: `docker swarm join` waits for that. */
  const untilReady = async (id: string): Promise<void> => {
    const end = now() + WRITE_MS;
    const isNew = (): boolean => state.get('node', id)?.status.state === 'unknown';
    while (mirror.leader && isNew() && now() < end) await pause(LOOK_MS);
  };

  const stateFrom = (
    id: string,
    { advertise, description, dataPath, tunnel, routes = [], faults = [] }: Ask<'hello'>,
    from: string,
  ): NodeState => {
    const address = hostOf(reachedAt(advertise, from));
    return {
      ...unwritten(now()),
      id,
      description,
      address,
      dataAddress: dataPath === '' ? address : dataPath,
      ...(tunnel ? { tunnel } : {}),
      routes,
      faults,
    };
  };

  return {
    authorities: () => cluster().authorities,
    knows: (nodeId) => state.get('node', nodeId) !== undefined,
    async looksUp(nodeId) {
      const { entries, revision } = await etcd.range({ key: key('node', nodeId) });
      if (entries.length === 0) return false;
      await mirror.reached(revision);
      if (state.get('node', nodeId)) return true;
      throw rpcError('Unavailable', 'this manager has not read the cluster yet');
    },
    heartbeat: () => (state.get('cluster', '')?.spec.heartbeatPeriod ?? 0) / NS_PER_MS || 5_000,

    async join({ secret, request, availability, advertise }, from) {
      const role = roleByToken(secret);
      const nodeId = newId();
      const node = freshNode(nodeId, now(), { role, availability });
      for (let tried = 0; tried < CONFLICTS; tried += 1) {
        const issued = certify(request, { nodeId, role, advertise: reachedAt(advertise, from) });
        // An authority whose place was taken meanwhile would have been the wrong one, and nobody would have waited for this node.
        const written = await store.commit({
          compare: [
            { key: key('node', nodeId), createRevision: 0 },
            { key: key('cluster', ''), modRevision: cluster().version },
          ],
          success: [put(prefix, 'node', node)],
        });
        if (written) return issued;
      }
      throw rpcError('Unavailable', 'the cluster is being changed: try again');
    },

    async renew(peer, { request, advertise }) {
      await knowAuthorities();
      return certify(request, { nodeId: peer.nodeId, role: nodeOf(peer).role, advertise });
    },

    async enrol(peer, { address }) {
      if (peer.role !== 'manager' || nodeOf(peer).role !== 'manager')
        throw rpcError('PermissionDenied', 'this node is no manager');
      const members = await settings.membership.welcome(peer.nodeId, address);
      return { members: [...members], dataKey: settings.dataKey.toString('base64') };
    },

    async leave(peer) {
      for (let tried = 0; tried < CONFLICTS; tried += 1) if (await markDown(nodeOf(peer))) break;
      await endSession(peer.nodeId);
    },

    async here(peer, message, from) {
      nodeOf(peer);
      const written =
        message.type === 'hello'
          ? [keepState(stateFrom(peer.nodeId, message, from)), beginSession(peer.nodeId)]
          : [keepCondition(peer.nodeId, message)];
      const known = Promise.all(written).then(() => untilReady(peer.nodeId));
      // Without a quorum nothing can be written, and the node has its session all the same.
      await Promise.race([known, pause(WRITE_MS, undefined, { ref: false })]);
      return {
        heartbeatMs: Math.max(
          100,
          (state.get('cluster', '')?.spec.heartbeatPeriod ?? 0) / NS_PER_MS || 5_000,
        ),
        managers: [...settings.managers()],
        role: nodeOf(peer).role,
        ...trustIn(cluster()),
        gossipKeys: [...secrets().gossipKeys],
      };
    },

    asked: settings.attachments,
    summon: settings.logs.pass,
    taker: settings.logs.taker,
    report: (nodeId, { tasks }) => reports.take(nodeId, tasks),
    gone: (nodeId) => void endSession(nodeId),
  };
};

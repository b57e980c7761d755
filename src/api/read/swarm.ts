/** Bodies of the swarm routes: init, join, unlock, specs of the cluster and of nodes. */
import * as z from 'zod';
import type {
  Availability,
  ClusterSpecRequest,
  InitRequest,
  JoinRequest,
  NodeSpec,
} from '../../cluster/contract.js';
import { invalid } from '../../errors.js';
import { fields } from '../../go-fields.js';
import { boolean, decode, integer, string, stringMap, strings } from './decode.js';

const specSchema = fields({
  Name: string.default(''),
  Labels: stringMap.default({}),
  Orchestration: fields({ TaskHistoryRetentionLimit: integer.optional() }).optional(),
  Raft: fields({
    SnapshotInterval: integer.default(0),
    KeepOldSnapshots: integer.optional(),
    LogEntriesForSlowFollowers: integer.default(0),
    ElectionTick: integer.default(0),
    HeartbeatTick: integer.default(0),
  }).optional(),
  Dispatcher: fields({ HeartbeatPeriod: integer.default(0) }).optional(),
  CAConfig: fields({
    NodeCertExpiry: integer.default(0),
    ExternalCAs: z.array(z.unknown()).default([]),
    SigningCACert: string.default(''),
    SigningCAKey: string.default(''),
    ForceRotate: integer.default(0),
  }).optional(),
  EncryptionConfig: fields({ AutoLockManagers: boolean.default(false) }).optional(),
});

type SentSpec = z.infer<typeof specSchema>;

/** Zero is Go's "not given". */
const given = <T extends Readonly<Record<string, number>>>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0)) as Partial<T>; // a part of it

const readSpec = (sent: SentSpec): ClusterSpecRequest => {
  if (sent.Name !== '' && sent.Name !== 'default') throw invalid('swarm spec must be named "default"');
  const { Raft: raft, CAConfig: ca } = sent;
  if ((ca?.ExternalCAs.length ?? 0) > 0)
    throw invalid(
      'external certificate authorities are not supported: give the authority itself, with --ca-cert and --ca-key',
    );
  return {
    spec: {
      labels: sent.Labels,
      ...given({
        heartbeatPeriod: sent.Dispatcher?.HeartbeatPeriod ?? 0,
        nodeCertExpiry: ca?.NodeCertExpiry ?? 0,
      }),
      // Of the history 0 means none.
      ...(sent.Orchestration?.TaskHistoryRetentionLimit === undefined
        ? {}
        : { historyLimit: sent.Orchestration.TaskHistoryRetentionLimit }),
      ...(raft
        ? {
            raft: {
              ...given({
                snapshotInterval: raft.SnapshotInterval,
                logEntriesForSlowFollowers: raft.LogEntriesForSlowFollowers,
                electionTick: raft.ElectionTick,
                heartbeatTick: raft.HeartbeatTick,
              }),
              ...(raft.KeepOldSnapshots === undefined ? {} : { keepOldSnapshots: raft.KeepOldSnapshots }),
            },
          }
        : {}),
      forceRotate: ca?.ForceRotate ?? 0,
      autoLock: sent.EncryptionConfig?.AutoLockManagers ?? false,
    },
    ...(ca && (ca.SigningCACert !== '' || ca.SigningCAKey !== '')
      ? { authority: { certificate: ca.SigningCACert, key: ca.SigningCAKey } }
      : {}),
  };
};

const availabilityOf = (text: string, what: string): Availability => {
  if (text === 'active' || text === 'pause' || text === 'drain') return text;
  throw invalid(`${what}: "${text.slice(0, 100)}"`);
};

const initSchema = fields({
  ListenAddr: string.default(''),
  AdvertiseAddr: string.default(''),
  DataPathAddr: string.default(''),
  DataPathPort: integer.default(0),
  DefaultAddrPool: strings.default([]),
  SubnetSize: integer.default(0),
  ForceNewCluster: boolean.default(false),
  Spec: specSchema.optional(),
  AutoLockManagers: boolean.default(false),
  Availability: string.default(''),
});

const DEFAULT_SUBNET = 24;
/** With 30 bits four addresses are left of a subnet, which services' own need. */
const LONGEST_SUBNET = 29;

const readPools = (pools: readonly string[], size: number): void => {
  if (pools.length === 0) return;
  if (size > LONGEST_SUBNET) throw invalid(`subnet size is out of range: ${size}`);
  for (const pool of pools) {
    const [, bits] = /^[0-9a-f.:]+\/(\d{1,3})$/i.exec(pool) ?? [];
    if (bits === undefined) throw invalid(`invalid CIDR: "${pool.slice(0, 100)}"`);
    if (size < Number(bits))
      throw invalid(`invalid CIDR: "${pool}". Subnet size is too small for pool: ${size}`);
  }
};

const DATA_PATH_PORT = 4789;

const readDataPathPort = (port: number): number => {
  if (port === 0) return DATA_PATH_PORT;
  if (port < 1024 || port > 49151)
    throw invalid(`Datapath port number is not in valid range (1024-49151) : ${port}`);
  return port;
};

/** `minor`: of the API version. */
export const readInit = (body: unknown, minor: number): InitRequest => {
  const sent = decode(initSchema, body ?? {});
  const pools = minor < 39 ? [] : sent.DefaultAddrPool;
  const subnetSize = (minor < 39 ? 0 : sent.SubnetSize) || DEFAULT_SUBNET;
  readPools(pools, subnetSize);
  const { spec, ...rest } = readSpec(sent.Spec ?? decode(specSchema, {}));
  return {
    listen: sent.ListenAddr,
    advertise: sent.AdvertiseAddr,
    dataPath: sent.DataPathAddr,
    dataPathPort: readDataPathPort(minor < 40 ? 0 : sent.DataPathPort),
    pools,
    subnetSize,
    availability: availabilityOf(sent.Availability || 'active', 'invalid Availability'),
    forceNewCluster: sent.ForceNewCluster,
    spec: { ...rest, spec: { ...spec, autoLock: spec.autoLock === true || sent.AutoLockManagers } },
  };
};

const joinSchema = fields({
  ListenAddr: string.default(''),
  AdvertiseAddr: string.default(''),
  DataPathAddr: string.default(''),
  RemoteAddrs: strings.default([]),
  JoinToken: string.default(''),
  Availability: string.default(''),
});

export const readJoin = (body: unknown): JoinRequest => {
  const sent = decode(joinSchema, body ?? {});
  if (sent.RemoteAddrs.length === 0) throw invalid('at least 1 RemoteAddr is required to join');
  for (const remote of sent.RemoteAddrs)
    if (remote === '') throw invalid('invalid remoteAddr "": invalid empty address');
  return {
    listen: sent.ListenAddr,
    advertise: sent.AdvertiseAddr,
    dataPath: sent.DataPathAddr,
    remotes: sent.RemoteAddrs.map((remote) => remote.replace(/^tcp:\/\//, '')),
    token: sent.JoinToken,
    availability: availabilityOf(sent.Availability || 'active', 'invalid Availability'),
  };
};

/** The whole spec of a cluster: what it does not say becomes the default. */
export const readClusterSpec = (body: unknown): ClusterSpecRequest =>
  readSpec(decode(specSchema, body ?? {}));

export const readUnlock = (body: unknown): string =>
  decode(fields({ UnlockKey: string.default('') }), body ?? {}).UnlockKey;

const nodeSchema = fields({
  Name: string.default(''),
  Labels: stringMap.default({}),
  Role: string.default(''),
  Availability: string.default(''),
});

export const readNodeSpec = (body: unknown): NodeSpec => {
  const sent = decode(nodeSchema, body ?? {});
  const role = sent.Role.toLowerCase();
  if (role !== 'worker' && role !== 'manager') throw invalid(`invalid Role: "${sent.Role.slice(0, 100)}"`);
  return {
    name: sent.Name,
    labels: sent.Labels,
    role,
    availability: availabilityOf(sent.Availability.toLowerCase(), 'invalid Availability'),
  };
};

/** The cluster, its nodes and this node's part in it, in Docker's fields. Pure. */
import type { ClusterView, NodeView, SwarmStatus } from '../../cluster/contract.js';
import type { Answer } from '../schema/answer.js';

export const presentNode = (node: NodeView): Answer<'Node'> => {
  const { description, manager, spec, status } = node;
  return {
    ID: node.id,
    Version: { Index: node.version },
    CreatedAt: node.createdAt,
    UpdatedAt: node.updatedAt,
    Spec: {
      Name: spec.name === '' ? undefined : spec.name,
      Labels: spec.labels,
      Role: spec.role,
      Availability: spec.availability,
    },
    Description: {
      Hostname: description?.hostname ?? '',
      Platform: { Architecture: description?.architecture ?? '', OS: description?.os ?? '' },
      Resources: {
        NanoCPUs: description?.nanoCpus ?? 0,
        MemoryBytes: description?.memoryBytes ?? 0,
        GenericResources: undefined,
      },
      Engine: {
        EngineVersion: description?.engineVersion ?? '',
        Labels: description?.labels ?? {},
        Plugins: (description?.plugins ?? []).map(({ type, name }) => ({ Type: type, Name: name })),
      },
      TLSInfo: {
        TrustRoot: description?.tls.trustRoot ?? '',
        CertIssuerSubject: description?.tls.issuerSubject ?? '',
        CertIssuerPublicKey: description?.tls.issuerPublicKey ?? '',
      },
    },
    Status: {
      State: status.state,
      Message: status.message === '' ? undefined : status.message,
      Addr: status.address,
    },
    ManagerStatus: manager && {
      Leader: manager.leader,
      Reachability: manager.reachability,
      Addr: manager.address,
    },
  };
};

const presentSpec = ({ spec }: ClusterView): Answer<'SwarmSpec'> => ({
  Name: 'default',
  Labels: spec.labels,
  Orchestration: { TaskHistoryRetentionLimit: spec.historyLimit },
  Raft: {
    SnapshotInterval: spec.raft.snapshotInterval,
    KeepOldSnapshots: spec.raft.keepOldSnapshots,
    LogEntriesForSlowFollowers: spec.raft.logEntriesForSlowFollowers,
    ElectionTick: spec.raft.electionTick,
    HeartbeatTick: spec.raft.heartbeatTick,
  },
  Dispatcher: { HeartbeatPeriod: spec.heartbeatPeriod },
  CAConfig: { NodeCertExpiry: spec.nodeCertExpiry, ForceRotate: spec.forceRotate },
  EncryptionConfig: { AutoLockManagers: spec.autoLock },
  TaskDefaults: {},
});

export const presentCluster = (cluster: ClusterView): Answer<'ClusterInfo'> => ({
  ID: cluster.id,
  Version: { Index: cluster.version },
  CreatedAt: cluster.createdAt,
  UpdatedAt: cluster.updatedAt,
  Spec: presentSpec(cluster),
  TLSInfo: {
    TrustRoot: cluster.trustRoot,
    CertIssuerSubject: cluster.issuerSubject,
    CertIssuerPublicKey: cluster.issuerPublicKey,
  },
  RootRotationInProgress: cluster.rotating,
  DataPathPort: cluster.dataPathPort,
  DefaultAddrPool: cluster.pools,
  SubnetSize: cluster.subnetSize,
});

/** Of `docker info`. */
export const presentSwarm = (status: SwarmStatus): Answer<'SwarmInfo'> => ({
  NodeID: status.nodeId,
  NodeAddr: status.address,
  LocalNodeState: status.state,
  ControlAvailable: status.control,
  Error: status.error,
  RemoteManagers:
    status.managers.length === 0
      ? null
      : status.managers.map(({ id, address }) => ({ NodeID: id, Addr: address })),
  Nodes: status.cluster?.nodes,
  Managers: status.cluster?.managers,
  Cluster: status.cluster && presentCluster(status.cluster.view),
  Warnings: status.cluster && status.cluster.warnings.length > 0 ? status.cluster.warnings : undefined,
});

/** The header of each ping: `active/manager`. */
export const swarmHeader = ({ state, control }: SwarmStatus): string =>
  state === 'active' ? `active/${control ? 'manager' : 'worker'}` : state;

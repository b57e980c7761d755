/** Services and their tasks as Docker shows them. Pure. */
import type { ServiceCounts, TaskView } from '../../cluster/contract.js';
import type { SwarmNetwork } from '../../model/swarm/cluster.js';
import type { Service, UpdateStatus } from '../../model/swarm/service.js';
import type { Answer } from '../schema/answer.js';
import { presentEndpointSpec, presentPort, presentServiceSpec, presentTaskSpec } from './service-spec.js';

/** What `Date` can say; a node's clock may say anything. */
const LAST = 8.64e15;
export const iso = (ms: number): string => new Date(Math.min(Math.max(ms, 0), LAST)).toISOString();

/** Go's `omitempty`. */
const unlessNone = <T>(values: readonly T[]): readonly T[] | undefined =>
  values.length === 0 ? undefined : values;

const presentEndpoint = ({ spec, endpoint }: Service): Answer<'Service'>['Endpoint'] => ({
  Spec: (endpoint && presentEndpointSpec(spec.endpoint)) ?? {},
  Ports: unlessNone((endpoint?.ports ?? []).map(presentPort)),
  VirtualIPs: unlessNone(
    (endpoint?.virtualIps ?? []).flatMap(({ networkId, addresses }) =>
      addresses.map((address) => ({ NetworkID: networkId, Addr: address })),
    ),
  ),
});

const presentUpdate = (update: UpdateStatus): Answer<'Service'>['UpdateStatus'] => ({
  State: update.state,
  StartedAt: iso(update.startedAt),
  CompletedAt: update.completedAt === undefined ? undefined : iso(update.completedAt),
  Message: update.message === '' ? undefined : update.message,
});

export const presentService = (
  service: Service,
  options: { readonly insertDefaults?: boolean; readonly counts?: ServiceCounts | undefined } = {},
): Answer<'Service'> => {
  const { previous, update, job } = service;
  const { counts } = options;
  return {
    ID: service.id,
    Version: { Index: service.version },
    CreatedAt: iso(service.createdAt),
    UpdatedAt: iso(service.updatedAt),
    Spec: presentServiceSpec(service.spec, options.insertDefaults === true),
    PreviousSpec: previous && presentServiceSpec(previous.spec, false),
    Endpoint: presentEndpoint(service),
    UpdateStatus: update && presentUpdate(update),
    ServiceStatus: counts && {
      RunningTasks: counts.running,
      DesiredTasks: counts.desired,
      CompletedTasks: counts.completed,
    },
    JobStatus: job && { JobIteration: { Index: job.iteration }, LastExecution: iso(job.lastExecution) },
  };
};

/** As swarmkit has networks: other fields than a node's own have. */
const presentNetwork = ({ id, version, network, ingress, vni, updatedAt }: SwarmNetwork): object => {
  const configs = network.pools.map(({ subnet, range, gateway }) => ({
    Subnet: subnet,
    Range: range,
    Gateway: gateway,
  }));
  const ipam = { Driver: { Name: network.ipam.driver }, Configs: configs };
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: network.createdAt,
    UpdatedAt: iso(updatedAt),
    Spec: {
      Name: network.name,
      Labels: network.labels,
      DriverConfiguration: { Name: network.driver, Options: network.options },
      IPv6Enabled: network.ipv6 || undefined,
      Internal: network.internal || undefined,
      Attachable: network.attachable || undefined,
      Ingress: ingress || undefined,
      IPAMOptions: ipam,
      Scope: 'swarm',
    },
    DriverState: {
      Name: network.driver,
      Options: vni === 0 ? undefined : { 'com.docker.network.driver.overlay.vxlanid_list': String(vni) },
    },
    IPAMOptions: ipam,
  };
};

export const presentTask = ({ task, status, report, made, networks }: TaskView): Answer<'Task'> => ({
  ID: task.id,
  Version: { Index: Math.max(task.version, report?.version ?? 0) },
  CreatedAt: iso(task.createdAt),
  UpdatedAt: iso(Math.max(task.createdAt, status.at)),
  Labels: {},
  Spec: made ? presentTaskSpec(made.task, false) : { ContainerSpec: { Image: '' } },
  ServiceID: task.serviceId,
  Slot: task.slot === 0 ? undefined : task.slot,
  NodeID: task.nodeId === '' ? undefined : task.nodeId,
  Status: {
    Timestamp: iso(status.at),
    State: status.state,
    Message: status.message,
    Err: status.err === '' ? undefined : status.err,
    ContainerStatus: report?.container && {
      ContainerID: report.container.id,
      PID: report.container.pid,
      ExitCode: report.container.exitCode,
    },
    PortStatus: { Ports: unlessNone((report?.ports ?? []).map(presentPort)) },
  },
  DesiredState: task.desired,
  NetworksAttachments: unlessNone(
    networks.map(({ network, addresses }) => ({ Network: presentNetwork(network), Addresses: addresses })),
  ),
  JobIteration: task.iteration === undefined ? undefined : { Index: task.iteration },
});

/**
 * The model's ServiceSpec → Docker's. What its user left out stays out, or is shown with what holds instead (`insertDefaults`), as
 * swarmkit fills it in.
 */
import type { EndpointSpec, PortConfig } from '../../model/swarm/endpoint.js';
import type {
  FileReference,
  Placement,
  ResourceRequirements,
  RestartPolicy,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '../../model/swarm/service.js';
import {
  DEFAULT_MONITOR,
  DEFAULT_RESTART,
  DEFAULT_STOP_GRACE_PERIOD,
  DEFAULT_UPDATE,
} from '../../model/swarm/service.js';

const presentMode = (mode: ServiceMode): object => {
  switch (mode.kind) {
    case 'replicated':
      return { Replicated: { Replicas: mode.replicas } };
    case 'global':
      return { Global: {} };
    case 'replicated-job':
      return {
        ReplicatedJob: { MaxConcurrent: mode.maxConcurrent, TotalCompletions: mode.totalCompletions },
      };
    case 'global-job':
      return { GlobalJob: {} };
  }
};

/** Go's `omitempty` leaves out zeros. */
const unlessZero = (name: string, value: number | undefined): object => (value ? { [name]: value } : {});
const unlessEmpty = (name: string, value: string): object => (value === '' ? {} : { [name]: value });

const presentUpdate = (config: UpdateConfig | undefined, insert: boolean): object | undefined => {
  if (!config && !insert) return undefined;
  const shown = config ?? DEFAULT_UPDATE;
  return {
    Parallelism: shown.parallelism,
    ...unlessZero('Delay', shown.delay),
    FailureAction: shown.failureAction,
    ...unlessZero('Monitor', shown.monitor ?? (insert ? DEFAULT_MONITOR : undefined)),
    MaxFailureRatio: shown.maxFailureRatio,
    Order: shown.order,
  };
};

const presentRestart = (policy: RestartPolicy | undefined, insert: boolean): object | undefined => {
  if (!policy && !insert) return undefined;
  const shown: RestartPolicy = policy ?? DEFAULT_RESTART;
  const delay = shown.delay ?? (insert ? DEFAULT_RESTART.delay : undefined);
  return {
    Condition: shown.condition,
    ...(delay === undefined ? {} : { Delay: delay }),
    MaxAttempts: shown.maxAttempts,
    ...(shown.window === undefined ? {} : { Window: shown.window }),
  };
};

const presentResources = (
  resources: ResourceRequirements | undefined,
  insert: boolean,
): object | undefined => {
  if (!resources) return insert ? {} : undefined;
  const { limits, reservations: reserved, swapBytes, memorySwappiness } = resources;
  return {
    ...(limits
      ? {
          Limits: {
            ...unlessZero('NanoCPUs', limits.nanoCpus),
            ...unlessZero('MemoryBytes', limits.memoryBytes),
            ...unlessZero('Pids', limits.pids),
          },
        }
      : {}),
    ...(reserved
      ? {
          Reservations: {
            ...unlessZero('NanoCPUs', reserved.nanoCpus),
            ...unlessZero('MemoryBytes', reserved.memoryBytes),
            ...(reserved.generic.length > 0
              ? {
                  GenericResources: reserved.generic.map(({ kind, value }) =>
                    typeof value === 'number'
                      ? { DiscreteResourceSpec: { Kind: kind, Value: value } }
                      : { NamedResourceSpec: { Kind: kind, Value: value } },
                  ),
                }
              : {}),
          },
        }
      : {}),
    ...(swapBytes === undefined ? {} : { SwapBytes: swapBytes }),
    ...(memorySwappiness === undefined ? {} : { MemorySwappiness: memorySwappiness }),
  };
};

const presentPlacement = (placement: Placement | undefined, insert: boolean): object | undefined => {
  if (!placement) return insert ? {} : undefined;
  const { constraints, spread, maxReplicas, platforms } = placement;
  return {
    ...(constraints.length > 0 ? { Constraints: constraints } : {}),
    ...(spread.length > 0
      ? { Preferences: spread.map((descriptor) => ({ Spread: { SpreadDescriptor: descriptor } })) }
      : {}),
    ...unlessZero('MaxReplicas', maxReplicas),
    ...(platforms.length > 0
      ? {
          Platforms: platforms.map(({ architecture, os }) => ({
            ...unlessEmpty('Architecture', architecture),
            ...unlessEmpty('OS', os),
          })),
        }
      : {}),
  };
};

const presentFile = ({ file }: FileReference): object =>
  file ? { File: { Name: file.name, UID: file.uid, GID: file.gid, Mode: file.mode } } : {};

const presentContainer = ({ container, secrets, configs }: TaskSpec, insert: boolean): object => ({
  ...container,
  ...(insert
    ? {
        StopGracePeriod: container.StopGracePeriod ?? DEFAULT_STOP_GRACE_PERIOD,
        DNSConfig: container.DNSConfig ?? {},
      }
    : {}),
  // moby's says so always.
  Isolation: container.Isolation || 'default',
  ...(secrets.length > 0
    ? { Secrets: secrets.map((each) => ({ ...presentFile(each), SecretID: each.id, SecretName: each.name })) }
    : {}),
  ...(configs.length > 0
    ? {
        Configs: configs.map((each) => ({
          ...(each.file ? presentFile(each) : { Runtime: {} }),
          ConfigID: each.id,
          ConfigName: each.name,
        })),
      }
    : {}),
});

export const presentTaskSpec = (task: TaskSpec, insert: boolean): object => ({
  ContainerSpec: presentContainer(task, insert),
  Resources: presentResources(task.resources, insert),
  RestartPolicy: presentRestart(task.restart, insert),
  Placement: presentPlacement(task.placement, insert),
  ...(task.networks.length > 0
    ? {
        Networks: task.networks.map(({ target, aliases, options }) => ({
          Target: target,
          ...(aliases.length > 0 ? { Aliases: aliases } : {}),
          ...(Object.keys(options).length > 0 ? { DriverOpts: options } : {}),
        })),
      }
    : {}),
  ...(task.logDriver ? { LogDriver: { Name: task.logDriver.name, Options: task.logDriver.options } } : {}),
  ForceUpdate: task.forceUpdate,
  Runtime: 'container',
});

export const presentPort = ({ name, protocol, targetPort, publishedPort, mode }: PortConfig): object => ({
  ...unlessEmpty('Name', name),
  Protocol: protocol,
  ...unlessZero('TargetPort', targetPort),
  ...unlessZero('PublishedPort', publishedPort),
  PublishMode: mode,
});

export const presentEndpointSpec = (endpoint: EndpointSpec | undefined): object | undefined =>
  endpoint && {
    Mode: endpoint.mode,
    ...(endpoint.ports.length > 0 ? { Ports: endpoint.ports.map(presentPort) } : {}),
  };

/** `insertDefaults` of `GET /services/ID`. Credentials are never shown. */
export const presentServiceSpec = (spec: ServiceSpec, insertDefaults: boolean): object => {
  const job = spec.mode.kind.endsWith('job');
  return {
    Name: spec.name,
    Labels: spec.labels,
    TaskTemplate: presentTaskSpec(spec.task, insertDefaults),
    Mode: presentMode(spec.mode),
    UpdateConfig: presentUpdate(spec.update, insertDefaults && !job),
    RollbackConfig: presentUpdate(spec.rollback, insertDefaults && !job),
    EndpointSpec: presentEndpointSpec(spec.endpoint),
  };
};

/**
 * Docker's ServiceSpec → the model's. Pure; differences between API versions are settled here, and what has a shape that the model
 * has not is refused in moby's words. Whether the values make sense is judged with the cluster's records, in swarmkit's words.
 */
import { invalid, notImplemented } from '../../errors.js';
import { parseReference } from '../../images/reference.js';
import type { EndpointSpec, PortConfig } from '../../model/swarm/endpoint.js';
import type {
  FileReference,
  GenericResource,
  NetworkTarget,
  Placement,
  ResourceRequirements,
  RestartPolicy,
  ServiceContainer,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '../../model/swarm/service.js';
import { decode } from './decode.js';
import { type ServiceBody, serviceSchema } from './service-schema.js';

export interface ServiceParameters {
  /** minor number of the API version */
  readonly minor: number;
  /** `X-Registry-Auth`; empty: none */
  readonly registryAuth: string;
  /** for a service whose user gives it none */
  readonly name: () => string;
}

type Task = ServiceBody['TaskTemplate'];
type Container = NonNullable<Task['ContainerSpec']>;

/** One of the words, the first where there is none; throws what `otherwise` says. */
const word = <T extends string>(text: string, words: readonly [T, ...T[]], otherwise: string): T => {
  if (text === '') return words[0];
  const found = words.find((each) => each === text);
  if (found === undefined) throw invalid(otherwise);
  return found;
};

const readMode = (mode: ServiceBody['Mode'], minor: number): ServiceMode => {
  const { Replicated, Global } = mode;
  const [job, globalJob] = minor >= 41 ? [mode.ReplicatedJob, mode.GlobalJob] : [undefined, undefined];
  if ([Replicated, Global, job, globalJob].filter((each) => each !== undefined).length > 1)
    throw invalid('must specify only one service mode');
  if (Global) return { kind: 'global' };
  if (globalJob) return { kind: 'global-job' };
  if (job) {
    const maxConcurrent = job.MaxConcurrent ?? 1;
    const totalCompletions = job.TotalCompletions ?? maxConcurrent;
    return { kind: 'replicated-job', maxConcurrent, totalCompletions };
  }
  return { kind: 'replicated', replicas: Replicated?.Replicas ?? 1 };
};

const readUpdate = (config: ServiceBody['UpdateConfig']): UpdateConfig | undefined =>
  config && {
    parallelism: config.Parallelism,
    delay: config.Delay,
    failureAction: word(
      config.FailureAction,
      ['pause', 'continue', 'rollback'],
      `unrecognized update failure action ${config.FailureAction}`,
    ),
    ...(config.Monitor === 0 ? {} : { monitor: config.Monitor }),
    maxFailureRatio: config.MaxFailureRatio,
    order: word(config.Order, ['stop-first', 'start-first'], `unrecognized update order ${config.Order}`),
  };

const readRestart = (policy: Task['RestartPolicy']): RestartPolicy | undefined =>
  policy && {
    condition: word(
      policy.Condition,
      ['any', 'none', 'on-failure'],
      `invalid RestartCondition: "${policy.Condition}"`,
    ),
    maxAttempts: policy.MaxAttempts,
    ...(policy.Delay === undefined ? {} : { delay: policy.Delay }),
    ...(policy.Window === undefined ? {} : { window: policy.Window }),
  };

type Reservations = NonNullable<NonNullable<Task['Resources']>['Reservations']>;

const readGeneric = (resources: Reservations['GenericResources']): readonly GenericResource[] =>
  resources.flatMap(({ NamedResourceSpec: named, DiscreteResourceSpec: discrete }) => {
    const found = discrete ?? named;
    return found ? [{ kind: found.Kind, value: found.Value }] : [];
  });

const readResources = (resources: Task['Resources'], minor: number): ResourceRequirements | undefined => {
  if (!resources) return undefined;
  const { Limits, Reservations: reserved } = resources;
  const [swap, swappiness] = minor >= 52 ? [resources.SwapBytes, resources.MemorySwappiness] : [];
  if (swap !== undefined && !Limits?.MemoryBytes)
    throw invalid('memory swap provided, but no memory-limit was set');
  return {
    ...(Limits
      ? {
          limits: {
            nanoCpus: Limits.NanoCPUs,
            memoryBytes: Limits.MemoryBytes,
            pids: minor >= 41 ? Limits.Pids : 0,
          },
        }
      : {}),
    ...(reserved
      ? {
          reservations: {
            nanoCpus: reserved.NanoCPUs,
            memoryBytes: reserved.MemoryBytes,
            generic: readGeneric(reserved.GenericResources),
          },
        }
      : {}),
    ...(swap === undefined ? {} : { swapBytes: swap }),
    ...(swappiness === undefined ? {} : { memorySwappiness: swappiness }),
  };
};

const readPlacement = (placement: Task['Placement'], minor: number): Placement | undefined =>
  placement && {
    constraints: placement.Constraints,
    spread: placement.Preferences.flatMap(({ Spread }) => (Spread ? [Spread.SpreadDescriptor] : [])),
    maxReplicas: minor >= 40 ? placement.MaxReplicas : 0,
    platforms: placement.Platforms.map(({ Architecture, OS }) => ({ architecture: Architecture, os: OS })),
  };

const fileOf = (file: Container['Secrets'][number]['File']): Pick<FileReference, 'file'> =>
  file ? { file: { name: file.Name, uid: file.UID, gid: file.GID, mode: file.Mode } } : {};

const readSecrets = (secrets: Container['Secrets']): readonly FileReference[] =>
  secrets.map(({ File, SecretID, SecretName }) => ({ id: SecretID, name: SecretName, ...fileOf(File) }));

const readConfigs = (configs: Container['Configs'], minor: number): readonly FileReference[] =>
  configs.map(({ File, Runtime, ConfigID, ConfigName }) => {
    const runtime = minor >= 40 ? Runtime : undefined;
    if (!File && !runtime) throw invalid('invalid Config: either File or Runtime should be set');
    if (File && runtime) throw invalid('invalid Config: cannot specify both File and Runtime');
    return { id: ConfigID, name: ConfigName, ...fileOf(File) };
  });

/** Without what clients of older versions cannot mean. */
const readContainer = (body: Container, minor: number): ServiceContainer => {
  const { Secrets: _secrets, Configs: _configs, Privileges, Healthcheck, Mounts, ...rest } = body;
  const { CapabilityAdd, CapabilityDrop, Ulimits, OomScoreAdj, Sysctls, Isolation = '', ...plain } = rest;
  const { StartInterval, ...check } = Healthcheck ?? {};
  return {
    ...plain,
    // It is shown to who gave none, too: sent back it would be a change, for which all tasks are made anew.
    ...(Isolation === '' || Isolation === 'default' ? {} : { Isolation }),
    ...(Privileges ? { Privileges: readPrivileges(Privileges, minor) } : {}),
    ...(Healthcheck
      ? { Healthcheck: minor >= 44 && StartInterval !== undefined ? { ...check, StartInterval } : check }
      : {}),
    ...(Mounts ? { Mounts: Mounts.map((mount) => readMount(mount, minor)) } : {}),
    ...(minor >= 40 && Sysctls ? { Sysctls } : {}),
    ...(minor >= 41 && CapabilityAdd ? { CapabilityAdd } : {}),
    ...(minor >= 41 && CapabilityDrop ? { CapabilityDrop } : {}),
    ...(minor >= 41 && Ulimits ? { Ulimits } : {}),
    ...(minor >= 46 && OomScoreAdj !== undefined ? { OomScoreAdj } : {}),
  };
};

const readPrivileges = (
  { CredentialSpec, SELinuxContext, ...since44 }: NonNullable<Container['Privileges']>,
  minor: number,
): object => {
  if (CredentialSpec) throw notImplemented('credential specs are for Windows containers');
  return {
    ...(SELinuxContext ? { SELinuxContext } : {}),
    ...(minor >= 44 ? since44 : { NoNewPrivileges: false }),
  };
};

const readMount = (mount: NonNullable<Container['Mounts']>[number], minor: number) => {
  const { TmpfsOptions, ...rest } = mount;
  const { Options, ...tmpfs } = TmpfsOptions ?? {};
  if (!TmpfsOptions) return rest;
  return { ...rest, TmpfsOptions: minor >= 46 && Options ? { ...tmpfs, Options } : tmpfs };
};

const readPort = (port: NonNullable<ServiceBody['EndpointSpec']>['Ports'][number]): PortConfig => ({
  name: port.Name,
  protocol: word(port.Protocol, ['tcp', 'udp', 'sctp'], `invalid protocol: "${port.Protocol}"`),
  targetPort: port.TargetPort,
  publishedPort: port.PublishedPort,
  mode: word(port.PublishMode, ['ingress', 'host'], `invalid publish mode: "${port.PublishMode}"`),
});

const readEndpoint = (endpoint: ServiceBody['EndpointSpec']): EndpointSpec | undefined =>
  endpoint && {
    mode: word(endpoint.Mode, ['vip', 'dnsrr'], `invalid resolution mode: "${endpoint.Mode}"`),
    ports: endpoint.Ports.map(readPort),
  };

const readNetworks = (body: ServiceBody, minor: number): readonly NetworkTarget[] => {
  const { Networks } = body.TaskTemplate;
  const networks = Networks.length === 0 && minor < 44 ? body.Networks : Networks;
  return networks.map(({ Target, Aliases, DriverOpts }) => ({
    target: Target,
    aliases: Aliases,
    options: DriverOpts,
  }));
};

/** The grammar of image names is the API's; the words are swarmkit's. */
const checkImage = (image: string): void => {
  if (image === '') throw invalid(`${REFUSED}ContainerSpec: image reference must be provided`);
  try {
    parseReference(image);
  } catch (error) {
    throw invalid(`${REFUSED}ContainerSpec: "${image.slice(0, 300)}" is not a valid repository/tag`, error);
  }
};
const REFUSED = 'rpc error: code = InvalidArgument desc = ';

const readTask = (body: ServiceBody, { minor, registryAuth }: ServiceParameters): TaskSpec => {
  const task = body.TaskTemplate;
  if (task.Runtime === 'plugin') throw notImplemented('services of plugins are not supported');
  if (task.Runtime !== '' && task.Runtime !== 'container') throw invalid('unsupported runtime');
  const container = task.ContainerSpec;
  if (!container) throw invalid('mismatched Runtime and *Spec fields');
  checkImage(container.Image);
  const resources = readResources(task.Resources, minor);
  const restart = readRestart(task.RestartPolicy);
  const placement = readPlacement(task.Placement, minor);
  return {
    container: readContainer(container, minor),
    secrets: readSecrets(container.Secrets),
    configs: readConfigs(container.Configs, minor),
    ...(resources ? { resources } : {}),
    ...(restart ? { restart } : {}),
    ...(placement ? { placement } : {}),
    networks: readNetworks(body, minor),
    ...(task.LogDriver ? { logDriver: { name: task.LogDriver.Name, options: task.LogDriver.Options } } : {}),
    forceUpdate: task.ForceUpdate,
    ...(registryAuth === '' ? {} : { registryAuth }),
  };
};

/** Networks are as named by the user: their ids come of the cluster's records. Throws invalid, in moby's words. */
export const readServiceSpec = (body: unknown, parameters: ServiceParameters): ServiceSpec => {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body');
  const decoded = decode(serviceSchema, body);
  const update = readUpdate(decoded.UpdateConfig);
  const rollback = readUpdate(decoded.RollbackConfig);
  const endpoint = readEndpoint(decoded.EndpointSpec);
  return {
    name: decoded.Name || parameters.name(),
    labels: decoded.Labels,
    task: readTask(decoded, parameters),
    mode: readMode(decoded.Mode, parameters.minor),
    ...(update ? { update } : {}),
    ...(rollback ? { rollback } : {}),
    ...(endpoint ? { endpoint } : {}),
  };
};

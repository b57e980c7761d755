/** From a task to the body of the request by which its container is made. Pure. Throws ViaductError where the cluster asks for what is not to be had here. */
import { invalid } from '../../errors.js';
import { bare } from '../../model/address.js';
import type { ServiceContainer } from '../../model/swarm/service.js';
import { containerNameOf } from '../../model/swarm/task.js';
import type { TaskFacts } from '../../template/index.js';
import { expandContainer } from '../../template/service.js';
import { FIXED_OPTIONS } from '../control/allocate/fixed.js';
import type { AssignedItem } from '../session/assigned.js';
import { LABELS } from './contract.js';
import type { FileMount } from './files.js';

export type TaskItem = Extract<AssignedItem, { readonly kind: 'task' }>;

/** Of the node that the task is on. */
export interface Here {
  readonly nodeId: string;
  readonly hostname: string;
  /** as `uname -m` says */
  readonly architecture: string;
  readonly os: string;
}

/** Docker's own words and shapes: each field is checked when the container is made. */
type Made = Readonly<Record<string, unknown>> & {
  readonly StopGracePeriod?: number;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Env?: readonly string[];
  readonly Hosts?: readonly string[];
  readonly Mounts?: readonly object[];
  readonly Isolation?: string;
  readonly DNSConfig?: {
    readonly Nameservers?: unknown;
    readonly Search?: unknown;
    readonly Options?: unknown;
  };
  readonly Privileges?: {
    readonly CredentialSpec?: unknown;
    readonly SELinuxContext?: { readonly Disable?: boolean };
    readonly Seccomp?: { readonly Mode?: string };
    readonly AppArmor?: { readonly Mode?: string };
    readonly NoNewPrivileges?: boolean;
  } | null;
};

export const nameOf = (task: TaskItem): string => containerNameOf(task.service.name, task);

const factsOf = (task: TaskItem, { nodeId, ...node }: Here): TaskFacts => ({
  service: { id: task.serviceId, ...task.service },
  node: { id: nodeId, ...node },
  task: { id: task.id, name: nameOf(task), slot: task.slot === 0 ? nodeId : String(task.slot) },
});

export interface Filled {
  readonly task: TaskItem;
  /** what templates of secrets and configs may tell */
  readonly facts: TaskFacts;
  readonly env: readonly string[];
}

/** The task with its container's templates filled in. Throws invalid. */
export const filled = (task: TaskItem, here: Here): Filled => {
  const facts = factsOf(task, here);
  try {
    // Each field is checked when the container is made; what is none here throws.
    const container = expandContainer(task.made.container as ServiceContainer, facts);
    return {
      facts,
      env: container.Env ?? [],
      task: { ...task, made: { ...task.made, container: { ...container } } },
    };
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
};

const labelsOf = (task: TaskItem, here: Here, own: Made['Labels']): Readonly<Record<string, string>> => ({
  ...own,
  [LABELS.node]: here.nodeId,
  [LABELS.service]: task.serviceId,
  [LABELS.serviceName]: task.service.name,
  [LABELS.task]: '',
  [LABELS.taskId]: task.id,
  [LABELS.taskName]: nameOf(task),
});

/** `10.0.0.1 a b` as in /etc/hosts → `a:10.0.0.1`, `b:10.0.0.1` */
const extraHosts = (hosts: readonly string[]): readonly string[] =>
  hosts.flatMap((line) => {
    const [address = '', ...names] = line.trim().split(/\s+/);
    return names.map((name) => `${name}:${address}`);
  });

const securityOf = ({ Privileges }: Made): readonly string[] => {
  if (!Privileges) return [];
  const { CredentialSpec, SELinuxContext, Seccomp, AppArmor, NoNewPrivileges } = Privileges;
  if (CredentialSpec || (SELinuxContext && !SELinuxContext.Disable))
    throw invalid('credential specs and SELinux contexts of services are not supported');
  if (Seccomp?.Mode === 'custom' || AppArmor?.Mode === 'custom')
    throw invalid('custom seccomp and AppArmor profiles of services are not supported');
  return [
    ...(NoNewPrivileges ? ['no-new-privileges'] : []),
    ...(Seccomp?.Mode === 'unconfined' ? ['seccomp=unconfined'] : []),
    ...(AppArmor?.Mode === 'disabled' ? ['apparmor=unconfined'] : []),
  ];
};

const portBindings = ({ ports }: TaskItem): Readonly<Record<string, readonly object[]>> => {
  const bindings: Record<string, object[]> = {};
  for (const { mode, protocol, targetPort, publishedPort } of ports) {
    if (mode !== 'host') continue;
    const key = `${targetPort}/${protocol}`;
    bindings[key] = [
      ...(bindings[key] ?? []),
      { HostIp: '', HostPort: publishedPort === 0 ? '' : String(publishedPort) },
    ];
  }
  return bindings;
};

const endpointsOf = (task: TaskItem): Readonly<Record<string, object>> =>
  Object.fromEntries(
    task.networks.map(({ networkId, addresses }) => {
      const ipv4 = addresses.find((address) => !address.includes(':'));
      const ipv6 = addresses.find((address) => address.includes(':'));
      const wish = task.made.networks.find(({ target }) => target === networkId);
      const IPAMConfig = {
        ...(ipv4 === undefined ? {} : { IPv4Address: bare(ipv4) }),
        ...(ipv6 === undefined ? {} : { IPv6Address: bare(ipv6) }),
      };
      // Its aliases are names of the service, not of this task.
      const options = Object.entries(wish?.options ?? {}).filter(([name]) => !FIXED_OPTIONS.includes(name));
      return [networkId, { IPAMConfig, DriverOpts: Object.fromEntries(options) }];
    }),
  );

const limitsOf = ({ made: { resources } }: TaskItem): object => ({
  ...(resources?.limits
    ? {
        Memory: resources.limits.memoryBytes,
        NanoCpus: resources.limits.nanoCpus,
        PidsLimit: resources.limits.pids,
      }
    : {}),
  ...(resources?.memorySwappiness === undefined ? {} : { MemorySwappiness: resources.memorySwappiness }),
  ...(resources?.reservations ? { MemoryReservation: resources.reservations.memoryBytes } : {}),
  ...(resources?.swapBytes === undefined || !resources.limits
    ? {}
    : {
        MemorySwap: resources.swapBytes < 0 ? -1 : resources.limits.memoryBytes + resources.swapBytes,
      }),
});

/** A network of the cluster's, or one of this host by its name (`host`, `none`, `bridge`), which stands alone. */
const modeOf = ({ networks, made }: TaskItem): string => {
  const [first] = networks;
  const own = made.networks.find(({ target }) => !networks.some(({ networkId }) => networkId === target));
  if (own && (first || made.networks.length > 1))
    throw invalid(`a task on its node's own network ${own.target} can be on no other network`);
  return first?.networkId ?? own?.target ?? 'bridge';
};

/** Throws what no node has. */
const checkIsolation = ({ Isolation = '' }: Made): void => {
  if (Isolation !== '' && Isolation !== 'default')
    throw invalid(`isolation ${Isolation.slice(0, 100)} is for Windows containers`);
};

/** What a client would send to `POST /containers/create`, of a task whose templates are filled in. */
export const bodyOf = (task: TaskItem, here: Here, files: readonly FileMount[]): object => {
  const made = task.made.container as Made;
  checkIsolation(made);
  const { logDriver } = task.made;
  const given = (fields: Readonly<Record<string, unknown>>): object =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
  return {
    ...given({
      Image: made.Image,
      Entrypoint: made.Command,
      Cmd: made.Args,
      Hostname: made.Hostname,
      Env: made.Env,
      WorkingDir: made.Dir,
      User: made.User,
      StopSignal: made.StopSignal,
      StopTimeout: Math.ceil(graceOf(task)),
      Tty: made.TTY,
      OpenStdin: made.OpenStdin,
      Healthcheck: made.Healthcheck,
    }),
    Labels: labelsOf(task, here, made.Labels),
    HostConfig: {
      ...given({
        GroupAdd: made.Groups,
        Init: made.Init,
        ReadonlyRootfs: made.ReadOnly,
        ExtraHosts: made.Hosts && extraHosts(made.Hosts),
        Dns: made.DNSConfig?.Nameservers,
        DnsSearch: made.DNSConfig?.Search,
        DnsOptions: made.DNSConfig?.Options,
        Sysctls: made.Sysctls,
        CapAdd: made.CapabilityAdd,
        CapDrop: made.CapabilityDrop,
        Ulimits: made.Ulimits,
        OomScoreAdj: made.OomScoreAdj,
        LogConfig: logDriver && { Type: logDriver.name, Config: logDriver.options },
      }),
      ...limitsOf(task),
      Mounts: [...(made.Mounts ?? []), ...files],
      SecurityOpt: securityOf(made),
      PortBindings: portBindings(task),
      NetworkMode: modeOf(task),
    },
    NetworkingConfig: { EndpointsConfig: endpointsOf(task) },
  };
};

const NS_PER_SECOND = 1_000_000_000;
const GRACE_SECONDS = 10;

/** Seconds from the signal that asks it to end to the one that ends it. */
export const graceOf = ({ made }: TaskItem): number => {
  const { StopGracePeriod: span } = made.container as Made;
  return typeof span === 'number' ? Math.max(0, span / NS_PER_SECOND) : GRACE_SECONDS;
};

/** From a task to the body of the request by which its container is made. Pure. Throws ViaductError where the cluster asks for what is not to be had here. */
import { invalid, notImplemented } from '../../errors.js';
import { bare } from '../../model/address.js';
import { containerNameOf } from '../../model/swarm/task.js';
import type { AssignedItem } from '../session/assigned.js';
import { LABELS } from './contract.js';
import type { FileMount } from './files.js';

export type TaskItem = Extract<AssignedItem, { readonly kind: 'task' }>;

/** Of the node that the task is on. */
export interface Here {
  readonly nodeId: string;
  readonly hostname: string;
}

/** Docker's own words and shapes: each field is checked when the container is made. */
type Made = Readonly<Record<string, unknown>> & {
  readonly StopGracePeriod?: number;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Env?: readonly string[];
  readonly Hosts?: readonly string[];
  readonly Mounts?: readonly (Readonly<Record<string, unknown>> & {
    readonly Source?: string;
    readonly Target: string;
    readonly TmpfsOptions?: { readonly Options?: readonly unknown[] };
  })[];
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

/** `{{.Service.Name}}` and what else swarmkit fills in. */
const filled = (text: string, task: TaskItem, { nodeId, hostname }: Here): string => {
  const known: Readonly<Record<string, string>> = {
    'Service.ID': task.serviceId,
    'Service.Name': task.service.name,
    'Node.ID': nodeId,
    'Node.Hostname': hostname,
    'Task.ID': task.id,
    'Task.Name': nameOf(task),
    'Task.Slot': task.slot === 0 ? nodeId : String(task.slot),
  };
  return text.replace(/\{\{([^{}]*)\}\}/g, (whole, inside: string) => {
    const label = /^\s*index\s+\.Service\.Labels\s+"([^"]*)"\s*$/.exec(inside);
    if (label) return task.service.labels[label[1] ?? ''] ?? '';
    const value = known[inside.trim().replace(/^\./, '')];
    if (value === undefined) throw invalid(`expanding ${whole} failed: the template is not known`);
    return value;
  });
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
      return [networkId, { IPAMConfig, DriverOpts: wish?.options ?? {} }];
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

type Mount = NonNullable<Made['Mounts']>[number];

const mountOf = (mount: Mount, fill: (text: string) => string): Mount => {
  if ((mount.TmpfsOptions?.Options ?? []).length > 0)
    throw notImplemented('options of a tmpfs besides its size and mode are not supported');
  return {
    ...mount,
    ...(mount.Source === undefined ? {} : { Source: fill(mount.Source) }),
    Target: fill(mount.Target),
  };
};

/** Throws what no node has. */
const checkIsolation = ({ Isolation = '' }: Made): void => {
  if (Isolation !== '' && Isolation !== 'default')
    throw invalid(`isolation ${Isolation.slice(0, 100)} is for Windows containers`);
};

/** What a client would send to `POST /containers/create`. */
export const bodyOf = (task: TaskItem, here: Here, files: readonly FileMount[]): object => {
  const made = task.made.container as Made;
  checkIsolation(made);
  const fill = (text: string): string => filled(text, task, here);
  const { logDriver } = task.made;
  const given = (fields: Readonly<Record<string, unknown>>): object =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
  return {
    ...given({
      Image: made.Image,
      Entrypoint: made.Command,
      Cmd: made.Args,
      Hostname: typeof made.Hostname === 'string' ? fill(made.Hostname) : undefined,
      Env: made.Env?.map(fill),
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
      Mounts: [...(made.Mounts ?? []).map((mount) => mountOf(mount, fill)), ...files],
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

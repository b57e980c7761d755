/** A container's OCI `config.json` as a pure function of what was asked and of facts looked up beforehand. */
import { MASKED_PATHS, READONLY_PATHS } from '../../model/container.js';
import type { ExecRequest, StartRequest } from '../contract.js';
import { containerCapabilities, processCapabilities } from './capabilities.js';
import { deviceRules, type RequestedDevice } from './devices.js';
import { containerEnvironment, mergeEnvironment } from './environment.js';
import { type MountFacts, mounts, rootPropagation } from './mounts.js';
import { namespaces } from './namespaces.js';
import type { OciProcess, OciRlimit, OciSeccomp, OciSpec } from './oci.js';
import { type CgroupFeatures, cgroupResources } from './resources.js';
import { resolveSeccomp } from './seccomp.js';
import { parseSecurityOptions } from './security.js';
import type { ResolvedUser } from './user.js';

/** What the daemon knows of the machine. */
export interface HostFacts {
  readonly cgroup: CgroupFeatures;
  /** capabilities the daemon may hand on */
  readonly capabilities: readonly string[];
  /** Go's name: `amd64`, `arm64` */
  readonly arch: string;
  readonly kernel: readonly [number, number];
  /** /proc and /sys paths to hide that exist only on some machines */
  readonly maskedPaths: readonly string[];
}

/** What was looked up for one start. */
export interface StartFacts extends Omit<MountFacts, 'kernel'> {
  readonly host: HostFacts;
  readonly user: ResolvedUser;
  readonly devices: readonly RequestedDevice[];
}

export const cgroupPathOf = (id: string): string => `/viaduct/${id}`;

const rlimits = (ulimits: StartRequest['container']['hostConfig']['Ulimits']): readonly OciRlimit[] =>
  (ulimits ?? []).map(({ Name, Soft, Hard }) => ({
    type: `RLIMIT_${Name.toUpperCase()}`,
    soft: Soft,
    hard: Hard,
  }));

/** Docker's init goes before the command unless the pid namespace is somebody else's. */
const commandLine = (request: StartRequest, facts: StartFacts): readonly string[] =>
  facts.init ? ['/sbin/docker-init', '--', ...request.container.args] : request.container.args;

const process = (request: StartRequest, facts: StartFacts, capabilities: readonly string[]): OciProcess => {
  const { config, hostConfig } = request.container;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  return {
    terminal: config.Tty,
    user: {
      uid: facts.user.uid,
      gid: facts.user.gid,
      additionalGids: facts.user.additionalGids,
    },
    args: commandLine(request, facts),
    env: containerEnvironment({
      hostname: request.hostname,
      tty: config.Tty,
      links: request.env,
      image: request.image.config.Env,
      container: config.Env,
    }),
    cwd: config.WorkingDir || request.image.config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, facts.user.uid),
    rlimits: rlimits(hostConfig.Ulimits),
    noNewPrivileges: security.noNewPrivileges,
    ...(hostConfig.OomScoreAdj ? { oomScoreAdj: hostConfig.OomScoreAdj } : {}),
    ...(security.apparmor && security.apparmor !== 'unconfined'
      ? { apparmorProfile: security.apparmor }
      : {}),
  };
};

/** The filter of a container, or none. Compiled by the runtime once per distinct value and cached by the caller. */
export const containerSeccomp = (request: StartRequest, host: HostFacts): OciSeccomp | undefined => {
  const { hostConfig } = request.container;
  const { seccomp } = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  if (hostConfig.Privileged && seccomp === '') return undefined;
  const capabilities = containerCapabilities(hostConfig, host.capabilities);
  return resolveSeccomp(seccomp, { arch: host.arch, kernel: host.kernel, capabilities });
};

const systemPaths = (request: StartRequest, host: HostFacts) => {
  const { hostConfig } = request.container;
  const open =
    hostConfig.Privileged === true ||
    parseSecurityOptions(hostConfig.SecurityOpt ?? []).systemPathsUnconfined;
  return {
    maskedPaths: hostConfig.MaskedPaths ?? (open ? [] : [...MASKED_PATHS, ...host.maskedPaths]),
    readonlyPaths: hostConfig.ReadonlyPaths ?? (open ? [] : READONLY_PATHS),
  };
};

/**
 * `seccomp`: the filter to compile, or the annotation of one already compiled (see `seccomp-cache.ts`).
 * Throws invalid on an unknown capability or security option.
 */
export const containerSpec = (
  request: StartRequest,
  facts: StartFacts,
  seccomp: { readonly filter?: OciSeccomp; readonly annotations: Readonly<Record<string, string>> },
): OciSpec => {
  const { container } = request;
  const { hostConfig } = container;
  const privileged = hostConfig.Privileged === true;
  const propagation = rootPropagation(container.mounts);
  const rules = deviceRules(privileged, facts.devices);
  return {
    ociVersion: '1.0.2',
    process: process(request, facts, containerCapabilities(hostConfig, facts.host.capabilities)),
    root: { path: request.rootfs, readonly: hostConfig.ReadonlyRootfs === true },
    ...(hostConfig.UTSMode === 'host' ? {} : { hostname: request.hostname }),
    ...(hostConfig.UTSMode !== 'host' && request.domainname ? { domainname: request.domainname } : {}),
    mounts: mounts(request, { ...facts, kernel: facts.host.kernel }),
    annotations: seccomp.annotations,
    linux: {
      cgroupsPath: cgroupPathOf(container.id),
      namespaces: namespaces(request, facts.host.cgroup.version),
      devices: facts.devices.map(({ device }) => device),
      resources: cgroupResources(hostConfig, facts.host.cgroup, rules),
      sysctl: request.sysctls,
      ...systemPaths(request, facts.host),
      ...(propagation ? { rootfsPropagation: propagation } : {}),
      ...(seccomp.filter ? { seccomp: seccomp.filter } : {}),
    },
  };
};

/**
 * `config.json` as text. A limit of -1 ("unlimited") becomes RLIM_INFINITY (2^64-1), which a JavaScript number cannot
 * hold; a quoted text never matches, because its own quotes are escaped.
 */
export const specText = (spec: OciSpec | OciProcess): string =>
  JSON.stringify(spec).replace(/"(soft|hard)":-1(?=[,}])/g, '"$1":18446744073709551615');

/** The process of an exec: the container's own settings, changed by what the request names. */
export const execProcess = (
  base: OciProcess,
  request: ExecRequest,
  user: ResolvedUser,
  available: readonly string[],
): OciProcess => ({
  ...base,
  terminal: request.tty,
  ...(request.tty && request.size
    ? { consoleSize: { height: request.size.rows, width: request.size.columns } }
    : {}),
  user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
  args: request.command,
  env: mergeEnvironment(base.env, request.tty ? ['TERM=xterm'] : [], request.env),
  cwd: request.workingDir || base.cwd,
  capabilities: processCapabilities(request.privileged ? available : base.capabilities.bounding, user.uid),
});

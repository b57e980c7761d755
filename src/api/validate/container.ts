/** Checks of a container's configuration that no other file here makes, in moby's words. */
import { isIP } from 'node:net';
import { invalid } from '../../errors.js';
import {
  type ContainerConfig,
  type Healthcheck,
  type HostConfig,
  joinedContainer,
} from '../../model/container.js';
import { validateNetworkMode } from './network-mode.js';
import { validateResources } from './resources.js';
import { validateRestartPolicy } from './restart-policy.js';

/** HOST_NAME_MAX of include/uapi/linux/limits.h */
const LONGEST_HOSTNAME = 64;
/** MinimumDuration of moby: one millisecond, in nanoseconds */
const SHORTEST_DURATION = 1_000_000;

/** Throws invalid for the first thing that cannot be. */
export const validateContainer = (config: ContainerConfig, host: HostConfig): void => {
  validateNetworkMode(config, host);
  validateConfig(config);
  validateRestartPolicy(host.RestartPolicy, host.AutoRemove);
  validateResources(host);
  validateModes(host);
  for (const entry of host.ExtraHosts ?? []) validateExtraHost(entry);
  for (const address of host.Dns ?? []) {
    if (isIP(address) === 0)
      throw invalid(`invalid DNS server: ${address.slice(0, 100)} is not an IP address`);
  }
};

const validateConfig = (config: ContainerConfig): void => {
  if (config.Hostname.length > LONGEST_HOSTNAME) {
    throw invalid(
      `hostname "${config.Hostname.slice(0, 300)}" is too long (maximum ${LONGEST_HOSTNAME} bytes)`,
    );
  }
  for (const name of [config.Hostname, config.Domainname]) {
    // It becomes a line of /etc/hosts and of /etc/hostname.
    if (/[\s\p{Cc}]/u.test(name))
      throw invalid(
        `invalid hostname ${JSON.stringify(name.slice(0, 100))}: white space and control characters`,
      );
  }
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw invalid(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  for (const variable of config.Env) {
    if (variable === '' || variable.startsWith('=')) {
      throw invalid(`invalid environment variable: ${variable.slice(0, 100)}`);
    }
  }
  if (config.Healthcheck !== undefined) validateHealthcheck(config.Healthcheck);
};

const validateHealthcheck = (check: Healthcheck): void => {
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const duration = check[name] ?? 0;
    if (duration !== 0 && duration < SHORTEST_DURATION) {
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
};

const validateModes = (host: HostConfig): void => {
  const checks: readonly (readonly [string, string | undefined, readonly string[]])[] = [
    ['IPC mode', host.IpcMode, ['none', 'private', 'host', 'shareable', 'container:']],
    ['PID mode', host.PidMode, ['host', 'container:']],
    ['UTS mode', host.UTSMode, ['host']],
    ['user namespace mode', host.UsernsMode, ['host', 'private']],
    ['cgroup namespace mode', host.CgroupnsMode, ['private', 'host']],
  ];
  for (const [label, mode = '', allowed] of checks) {
    const joins = allowed.includes('container:') && Boolean(joinedContainer(mode));
    if (mode !== '' && !joins && !allowed.includes(mode))
      throw invalid(`invalid ${label}: ${mode.slice(0, 100)}`);
  }
  if ((host.ShmSize ?? 0) < 0) throw invalid('SHM size can not be less than 0');
  const score = host.OomScoreAdj ?? 0;
  if (score < -1000 || score > 1000) {
    throw invalid(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  }
};

/** `name:address`, also `name=address` and `name:host-gateway`. */
const validateExtraHost = (entry: string): void => {
  const separator = entry.search(/[:=]/);
  const address = entry.slice(separator + 1).replace(/^\[(.*)\]$/, '$1');
  if (separator <= 0 || address === '') {
    throw invalid(`bad format for add-host: "${entry.slice(0, 200)}"`);
  }
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw invalid(`invalid IP address in add-host: "${address.slice(0, 200)}"`);
  }
};

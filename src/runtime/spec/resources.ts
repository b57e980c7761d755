/** Limits of a container's cgroup, in the OCI form, within what the host's cgroups can do. */
import type { HostConfig } from '../../model/container.js';
import type { OciDeviceRule, OciResources } from './oci.js';

/** What this host's cgroups offer. */
export interface CgroupFeatures {
  readonly version: 1 | 2;
  /** swap is accounted (`memory.memsw.*`, `memory.swap.*`) */
  readonly swap: boolean;
  readonly blkioWeight: boolean;
}

/** Docker's period for `--cpus`, in microseconds. */
const NANO_CPU_PERIOD = 100_000;

const memory = (host: HostConfig, features: CgroupFeatures): NonNullable<OciResources['memory']> => {
  const limit = host.Memory ?? 0;
  // Without --memory-swap, as much swap as memory: twice in all.
  const swap = host.MemorySwap ? host.MemorySwap : limit > 0 ? limit * 2 : 0;
  return {
    ...(limit > 0 ? { limit } : {}),
    ...(host.MemoryReservation ? { reservation: host.MemoryReservation } : {}),
    ...(swap !== 0 && features.swap ? { swap } : {}),
    ...(host.OomKillDisable && features.version === 1 ? { disableOOMKiller: true } : {}),
  };
};

const cpu = (host: HostConfig): NonNullable<OciResources['cpu']> => ({
  ...(host.CpuShares ? { shares: host.CpuShares } : {}),
  ...(host.NanoCpus
    ? { period: NANO_CPU_PERIOD, quota: Math.trunc((host.NanoCpus * NANO_CPU_PERIOD) / 1e9) }
    : {
        ...(host.CpuPeriod ? { period: host.CpuPeriod } : {}),
        ...(host.CpuQuota ? { quota: host.CpuQuota } : {}),
      }),
  ...(host.CpusetCpus ? { cpus: host.CpusetCpus } : {}),
  ...(host.CpusetMems ? { mems: host.CpusetMems } : {}),
});

export const cgroupResources = (
  host: HostConfig,
  features: CgroupFeatures,
  devices: readonly OciDeviceRule[],
): OciResources => ({
  devices,
  memory: memory(host, features),
  cpu: cpu(host),
  ...(host.PidsLimit && host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
  ...(host.BlkioWeight && features.blkioWeight ? { blockIO: { weight: host.BlkioWeight } } : {}),
});

/** The same without devices, for a running container. */
export const updatedResources = (host: HostConfig, features: CgroupFeatures): OciResources => {
  const { devices: _, ...rest } = cgroupResources(host, features, []);
  return rest;
};

/** Limits of memory and processor, as daemon_unix.go checks them. */
import { cpus } from 'node:os';
import { invalid } from '../../errors.js';
import type { HostConfig } from '../../model/container.js';

/** linuxMinMemory of moby: 6 MiB */
const LEAST_MEMORY = 6 * 1024 * 1024;

type Limits = Partial<HostConfig>;

/** Asked of the kernel once: it takes 0.4 ms. */
const PROCESSORS = cpus().length;

/** Throws invalid. `update`: limits of a container that exists, where swap may be given alone. */
export const validateResources = (limits: Limits, update = false, processors = PROCESSORS): void => {
  validateMemory(limits, update);
  validateProcessor(limits, processors);
  const weight = limits.BlkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000');
  }
};

const validateMemory = (limits: Limits, update: boolean): void => {
  const memory = limits.Memory ?? 0;
  const swap = limits.MemorySwap ?? 0;
  const reservation = limits.MemoryReservation ?? 0;
  if (memory !== 0 && memory < LEAST_MEMORY) throw invalid('Minimum memory limit allowed is 6MB');
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0 && !update) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (reservation > 0 && reservation < LEAST_MEMORY) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (memory > 0 && reservation > memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
};

const validateProcessor = (limits: Limits, processors: number): void => {
  const nano = limits.NanoCpus ?? 0;
  const period = limits.CpuPeriod ?? 0;
  const quota = limits.CpuQuota ?? 0;
  const shares = limits.CpuShares ?? 0;
  if (shares < 0) throw invalid(`invalid CPU shares (${shares}): value must be a positive integer`);
  if (nano > 0 && period > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nano > 0 && quota > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (nano < 0 || nano > processors * 1e9) {
    throw invalid(
      `range of CPUs is from 0.01 to ${processors}.00, as there are only ${processors} CPUs available`,
    );
  }
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota > 0 && quota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
};

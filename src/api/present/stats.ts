/** Readings of a container's cgroup in the fields of `docker stats`. Pure. */
import type { Container } from '../../model/container.js';
import type { Usage } from '../../runtime/contract.js';
import type { Answer } from '../schema/answer.js';

export interface Reading {
  /** RFC 3339 */
  readonly time: string;
  /** absent: the container does not run */
  readonly usage?: Usage;
}

const NEVER = '0001-01-01T00:00:00Z';

/** `before`: the reading that went before; clients compute the processor's percentage from the two. */
export const presentStats = (
  container: Container,
  reading: Reading,
  before: Reading | undefined,
): Answer<'ContainerStatsResponse'> => {
  const { usage } = reading;
  return {
    name: `/${container.name}`,
    id: container.id,
    os_type: 'linux',
    read: usage === undefined ? NEVER : reading.time,
    preread: before?.usage === undefined ? NEVER : before.time,
    pids_stats: usage === undefined ? {} : { current: usage.pids },
    blkio_stats: presentBlockIo(usage),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: presentCpu(usage),
    precpu_stats: presentCpu(before?.usage),
    memory_stats: presentMemory(usage),
    networks: usage?.networks && presentInterfaces(usage.networks),
  };
};

const presentCpu = (usage: Usage | undefined): Answer<'ContainerCPUStats'> => ({
  cpu_usage: {
    total_usage: usage?.cpuNanoseconds ?? 0,
    usage_in_kernelmode: usage?.cpuSystemNanoseconds ?? 0,
    usage_in_usermode: usage?.cpuUserNanoseconds ?? 0,
  },
  system_cpu_usage: usage?.hostCpuNanoseconds,
  online_cpus: usage?.onlineCpus,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});

/** Clients subtract `inactive_file` from the usage: cache is not use. */
const presentMemory = (usage: Usage | undefined): Answer<'ContainerMemoryStats'> =>
  usage === undefined
    ? {}
    : {
        usage: usage.memoryBytes,
        stats: { inactive_file: usage.memoryCacheBytes, total_inactive_file: usage.memoryCacheBytes },
        limit: usage.memoryLimitBytes,
      };

const presentBlockIo = (usage: Usage | undefined): Answer<'ContainerBlkioStats'> => {
  const bytes =
    usage === undefined
      ? null
      : [
          { major: 0, minor: 0, op: 'read', value: usage.blockReadBytes },
          { major: 0, minor: 0, op: 'write', value: usage.blockWriteBytes },
        ];
  return {
    io_service_bytes_recursive: bytes,
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
};

const presentInterfaces = (
  networks: NonNullable<Usage['networks']>,
): Readonly<Record<string, Answer<'ContainerNetworkStats'>>> =>
  Object.fromEntries(
    Object.entries(networks).map(([name, counters]): [string, Answer<'ContainerNetworkStats'>] => [
      name,
      {
        rx_bytes: counters.receivedBytes,
        rx_packets: counters.receivedPackets,
        rx_errors: counters.receiveErrors,
        rx_dropped: counters.receiveDropped,
        tx_bytes: counters.sentBytes,
        tx_packets: counters.sentPackets,
        tx_errors: counters.sendErrors,
        tx_dropped: counters.sendDropped,
      },
    ]),
  );

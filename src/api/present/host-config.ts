/** HostConfig as `inspect` shows it: every field of Docker's, those nobody set with Go's zero values. Pure. */
import { type ContainerLink, type HostConfig, MASKED_PATHS, READONLY_PATHS } from '../../model/container.js';
import type { Answer } from '../schema/answer.js';

const ZERO = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: {} },
  NetworkMode: 'bridge',
  PortBindings: {},
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'private',
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  /** Docker's default: 64 MiB */
  ShmSize: 67_108_864,
  Runtime: 'runc',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: [],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
} satisfies Partial<Answer<'HostConfig'>>;

export interface HostConfigContext {
  /** the container's own name */
  readonly name: string;
  /** its links where they are to containers rather than to names */
  readonly links?: readonly ContainerLink[];
  /** name of the runtime that containers get */
  readonly runtime: string;
  /** a linked container's name behind the reference that the user gave */
  nameOf(reference: string): string;
}

/** Where an empty value means the daemon's default, the default is shown. */
export const presentHostConfig = (host: HostConfig, context: HostConfigContext): Answer<'HostConfig'> => {
  const open = host.Privileged === true;
  const links = context.links?.map(({ target, alias }) => `${target}:${alias}`) ?? host.Links ?? [];
  return {
    ...ZERO,
    ...host,
    IpcMode: host.IpcMode || ZERO.IpcMode,
    CgroupnsMode: host.CgroupnsMode || ZERO.CgroupnsMode,
    Runtime: host.Runtime || context.runtime,
    ShmSize: host.ShmSize || ZERO.ShmSize,
    Dns: host.Dns ?? ZERO.Dns,
    DnsOptions: host.DnsOptions ?? ZERO.DnsOptions,
    DnsSearch: host.DnsSearch ?? ZERO.DnsSearch,
    RestartPolicy: host.RestartPolicy.Name === '' ? ZERO.RestartPolicy : host.RestartPolicy,
    LogConfig: { Type: host.LogConfig?.Type || ZERO.LogConfig.Type, Config: host.LogConfig?.Config ?? {} },
    MaskedPaths: host.MaskedPaths ?? (open ? null : MASKED_PATHS),
    ReadonlyPaths: host.ReadonlyPaths ?? (open ? null : READONLY_PATHS),
    Links: presentLinks(links, context),
  };
};

/** `web:db` of container `app` is shown as `/web:/app/db`. */
const presentLinks = (links: readonly string[], context: HostConfigContext): readonly string[] | null => {
  if (links.length === 0) return null;
  return links.map((link) => {
    const [reference = '', alias = reference] = link.split(':', 2);
    return `/${context.nameOf(reference)}:/${context.name}/${alias}`;
  });
};

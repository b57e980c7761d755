/** The body of `POST /containers/create` as schemas: Docker's Config, HostConfig and NetworkingConfig. */

import * as z from 'zod';
import { fields } from '../../go-fields.js';
import { healthcheckSchema, MOUNT, mountType, ulimitSchema } from './container-parts.js';
import { boolean, commandLine, integer, nameSet, string, stringMap, strings } from './decode.js';
import { endpointSchema } from './endpoint.js';

const list = strings.nullable().default(null);
const anything = z.unknown();

const CONFIG = {
  Hostname: string.default(''),
  Domainname: string.default(''),
  User: string.default(''),
  AttachStdin: boolean.default(false),
  AttachStdout: boolean.default(false),
  AttachStderr: boolean.default(false),
  ExposedPorts: nameSet.exactOptional(),
  Tty: boolean.default(false),
  OpenStdin: boolean.default(false),
  StdinOnce: boolean.default(false),
  Env: strings.default([]),
  Cmd: commandLine.nullable().default(null),
  Entrypoint: commandLine.nullable().default(null),
  Image: string.default(''),
  Volumes: nameSet.default({}),
  WorkingDir: string.default(''),
  Labels: stringMap.default({}),
  StopSignal: string.exactOptional(),
  StopTimeout: integer.exactOptional(),
  Healthcheck: healthcheckSchema.exactOptional(),
  NetworkDisabled: boolean.exactOptional(),
  MacAddress: string.exactOptional(),
};

/** What the model reads of HostConfig. */
const HOST = {
  Binds: list,
  Tmpfs: stringMap.exactOptional(),
  VolumesFrom: list,
  NetworkMode: string.default(''),
  PortBindings: z
    .custom<Readonly<Record<string, unknown>>>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      { error: 'expected an object' },
    )
    .default({}),
  PublishAllPorts: boolean.default(false),
  RestartPolicy: fields({ Name: string.default(''), MaximumRetryCount: integer.default(0) }).default({
    Name: '',
    MaximumRetryCount: 0,
  }),
  AutoRemove: boolean.default(false),
  Links: list,
  Dns: list,
  DnsSearch: list,
  DnsOptions: list,
  ExtraHosts: list,
  Sysctls: stringMap.exactOptional(),
  CapAdd: list,
  CapDrop: list,
  Privileged: boolean.default(false),
  ReadonlyRootfs: boolean.default(false),
  SecurityOpt: list,
  GroupAdd: list,
  Init: boolean.exactOptional(),
  IpcMode: string.default(''),
  PidMode: string.default(''),
  UTSMode: string.default(''),
  CgroupnsMode: string.default(''),
  UsernsMode: string.default(''),
  MaskedPaths: list,
  ReadonlyPaths: list,
  ShmSize: integer.default(0),
  OomScoreAdj: integer.default(0),
  Runtime: string.exactOptional(),
  LogConfig: fields({ Type: string.default(''), Config: stringMap.default({}) }).exactOptional(),
  Mounts: z.array(fields({ Type: mountType, ...MOUNT })).exactOptional(),
};

/** Limits: also what `POST /containers/{id}/update` takes. */
const LIMITS = {
  Memory: integer.default(0),
  MemorySwap: integer.default(0),
  MemoryReservation: integer.default(0),
  NanoCpus: integer.default(0),
  CpuShares: integer.default(0),
  CpuPeriod: integer.default(0),
  CpuQuota: integer.default(0),
  CpusetCpus: string.default(''),
  CpusetMems: string.default(''),
  PidsLimit: integer.nullable().default(null),
  OomKillDisable: boolean.nullable().default(null),
  BlkioWeight: integer.default(0),
  Ulimits: z.array(ulimitSchema).nullable().default(null),
  Devices: z
    .array(
      fields({
        PathOnHost: string.default(''),
        PathInContainer: string.default(''),
        CgroupPermissions: string.default(''),
      }),
    )
    .nullable()
    .default(null),
};

/** What nothing here acts on; kept because `inspect` shows it. */
const KEPT = {
  ContainerIDFile: string.exactOptional(),
  VolumeDriver: string.exactOptional(),
  ConsoleSize: z.array(integer).exactOptional(),
  Annotations: stringMap.exactOptional(),
  StorageOpt: stringMap.exactOptional(),
  Cgroup: string.exactOptional(),
  CgroupParent: string.exactOptional(),
  Isolation: string.exactOptional(),
  CpuRealtimePeriod: integer.exactOptional(),
  CpuRealtimeRuntime: integer.exactOptional(),
  MemorySwappiness: integer.exactOptional(),
  BlkioWeightDevice: anything.exactOptional(),
  BlkioDeviceReadBps: anything.exactOptional(),
  BlkioDeviceWriteBps: anything.exactOptional(),
  BlkioDeviceReadIOps: anything.exactOptional(),
  BlkioDeviceWriteIOps: anything.exactOptional(),
  DeviceCgroupRules: strings.exactOptional(),
  DeviceRequests: anything.exactOptional(),
  IOMaximumIOps: integer.exactOptional(),
  IOMaximumBandwidth: integer.exactOptional(),
};

export const createSchema = fields({
  ...CONFIG,
  HostConfig: fields({ ...HOST, ...LIMITS, ...KEPT }).optional(),
  NetworkingConfig: fields({
    EndpointsConfig: z.record(z.string(), endpointSchema.nullable()).default({}),
  }).optional(),
});

export const hostConfigSchema = fields({ ...HOST, ...LIMITS, ...KEPT });
export const updateSchema = fields({ ...LIMITS, RestartPolicy: HOST.RestartPolicy });

export type CreateBody = z.infer<typeof createSchema>;

/** Without one of these in the body there is no configuration at all. */
export const CONFIG_FIELDS: readonly string[] = Object.keys(CONFIG);

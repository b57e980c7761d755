/** The body of `POST /services/create` and `…/update` as schemas: moby's ServiceSpec. Spans of time in nanoseconds. */
import * as z from 'zod';
import { fields } from '../../go-fields.js';
import { healthcheckSchema, MOUNT, mountType, ulimitSchema } from './container-parts.js';
import { boolean, commandLine, integer, string, stringMap, strings } from './decode.js';

const count = integer.refine((value) => value >= 0, { error: 'expected no negative number' });
const list = <T extends z.ZodType>(item: T) => z.array(item).default([]);

const file = fields({
  Name: string.default(''),
  UID: string.default(''),
  GID: string.default(''),
  Mode: count.default(0),
});

const privileges = fields({
  CredentialSpec: fields({
    Config: string.default(''),
    File: string.default(''),
    Registry: string.default(''),
  }).exactOptional(),
  SELinuxContext: fields({
    Disable: boolean.default(false),
    User: string.default(''),
    Role: string.default(''),
    Type: string.default(''),
    Level: string.default(''),
  }).exactOptional(),
  Seccomp: fields({ Mode: string.exactOptional(), Profile: string.exactOptional() }).exactOptional(),
  AppArmor: fields({ Mode: string.exactOptional() }).exactOptional(),
  NoNewPrivileges: boolean.default(false),
});

const container = fields({
  Image: string.default(''),
  Labels: stringMap.exactOptional(),
  Command: commandLine.exactOptional(),
  Args: commandLine.exactOptional(),
  Hostname: string.exactOptional(),
  Env: strings.exactOptional(),
  Dir: string.exactOptional(),
  User: string.exactOptional(),
  Groups: strings.exactOptional(),
  Privileges: privileges.exactOptional(),
  Init: boolean.exactOptional(),
  StopSignal: string.exactOptional(),
  TTY: boolean.exactOptional(),
  OpenStdin: boolean.exactOptional(),
  ReadOnly: boolean.exactOptional(),
  Mounts: z.array(fields({ Type: mountType.default('bind'), ...MOUNT })).exactOptional(),
  StopGracePeriod: integer.exactOptional(),
  Healthcheck: healthcheckSchema.exactOptional(),
  Hosts: strings.exactOptional(),
  DNSConfig: fields({
    Nameservers: strings.exactOptional(),
    Search: strings.exactOptional(),
    Options: strings.exactOptional(),
  }).exactOptional(),
  Secrets: list(
    fields({ File: file.exactOptional(), SecretID: string.default(''), SecretName: string.default('') }),
  ),
  Configs: list(
    fields({
      File: file.exactOptional(),
      Runtime: z.object({}).exactOptional(),
      ConfigID: string.default(''),
      ConfigName: string.default(''),
    }),
  ),
  Isolation: string.exactOptional(),
  Sysctls: stringMap.exactOptional(),
  CapabilityAdd: strings.exactOptional(),
  CapabilityDrop: strings.exactOptional(),
  Ulimits: z.array(ulimitSchema).exactOptional(),
  OomScoreAdj: integer.exactOptional(),
});

const resources = fields({
  Limits: fields({
    NanoCPUs: integer.default(0),
    MemoryBytes: integer.default(0),
    Pids: integer.default(0),
  }).exactOptional(),
  Reservations: fields({
    NanoCPUs: integer.default(0),
    MemoryBytes: integer.default(0),
    GenericResources: list(
      fields({
        NamedResourceSpec: fields({ Kind: string.default(''), Value: string.default('') }).exactOptional(),
        DiscreteResourceSpec: fields({
          Kind: string.default(''),
          Value: integer.default(0),
        }).exactOptional(),
      }),
    ),
  }).exactOptional(),
  SwapBytes: integer.exactOptional(),
  MemorySwappiness: integer.exactOptional(),
});

const driver = fields({ Name: string.default(''), Options: stringMap.default({}) });

const networks = z
  .array(
    fields({ Target: string.default(''), Aliases: strings.default([]), DriverOpts: stringMap.default({}) }),
  )
  .default([]);

const task = fields({
  ContainerSpec: container.exactOptional(),
  PluginSpec: z.object({}).exactOptional(),
  Resources: resources.exactOptional(),
  RestartPolicy: fields({
    Condition: string.default(''),
    Delay: integer.exactOptional(),
    MaxAttempts: count.default(0),
    Window: integer.exactOptional(),
  }).exactOptional(),
  Placement: fields({
    Constraints: strings.default([]),
    Preferences: list(fields({ Spread: fields({ SpreadDescriptor: string.default('') }).exactOptional() })),
    MaxReplicas: count.default(0),
    Platforms: list(fields({ Architecture: string.default(''), OS: string.default('') })),
  }).exactOptional(),
  Networks: networks,
  LogDriver: driver.exactOptional(),
  ForceUpdate: count.default(0),
  Runtime: string.default(''),
});

const update = fields({
  Parallelism: count.default(0),
  Delay: integer.default(0),
  FailureAction: string.default(''),
  Monitor: integer.default(0),
  MaxFailureRatio: z.number().default(0),
  Order: string.default(''),
});

/** What a count may be is judged with the whole spec, in swarmkit's words. */
export const serviceSchema = fields({
  Name: string.default(''),
  Labels: stringMap.default({}),
  TaskTemplate: task.prefault({}),
  Mode: fields({
    Replicated: fields({ Replicas: integer.exactOptional() }).exactOptional(),
    Global: z.object({}).exactOptional(),
    ReplicatedJob: fields({
      MaxConcurrent: integer.exactOptional(),
      TotalCompletions: integer.exactOptional(),
    }).exactOptional(),
    GlobalJob: z.object({}).exactOptional(),
  }).prefault({}),
  UpdateConfig: update.exactOptional(),
  RollbackConfig: update.exactOptional(),
  EndpointSpec: fields({
    Mode: string.default(''),
    Ports: list(
      fields({
        Name: string.default(''),
        Protocol: string.default(''),
        TargetPort: count.default(0),
        PublishedPort: count.default(0),
        PublishMode: string.default(''),
      }),
    ),
  }).exactOptional(),
  /** until 1.43 */
  Networks: networks,
});

export type ServiceBody = z.infer<typeof serviceSchema>;

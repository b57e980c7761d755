/** Schemas of the records of services, of tasks, and of what services share (secrets, configs, networks); codec.ts reads etcd's values by them. */
import * as z from 'zod';

const text = z.string();
const texts = z.record(text, text);
const list = z.array(text).readonly();
const whole = z.number().int();
const count = whole.nonnegative();
/** nanoseconds or milliseconds */
const span = z.number();

export const driver = z.object({ name: text, options: texts });

const fileReference = z.object({
  id: text,
  name: text,
  file: z.object({ name: text, uid: text, gid: text, mode: count }).exactOptional(),
});

/** Docker's own names; each node checks it again when it makes the container. */
const container = z.looseObject({ Image: text });

const resources = z.object({
  limits: z.object({ nanoCpus: z.number(), memoryBytes: z.number(), pids: z.number() }).exactOptional(),
  reservations: z
    .object({
      nanoCpus: z.number(),
      memoryBytes: z.number(),
      generic: z.array(z.object({ kind: text, value: z.union([z.number(), text]) })).readonly(),
    })
    .exactOptional(),
  swapBytes: z.number().exactOptional(),
  memorySwappiness: z.number().exactOptional(),
});

const restart = z.object({
  condition: z.enum(['none', 'on-failure', 'any']),
  delay: span.exactOptional(),
  maxAttempts: count,
  window: span.exactOptional(),
});

const placement = z.object({
  constraints: list,
  spread: list,
  maxReplicas: count,
  platforms: z.array(z.object({ architecture: text, os: text })).readonly(),
});

export const taskSpec = z.object({
  container,
  secrets: z.array(fileReference).readonly(),
  configs: z.array(fileReference).readonly(),
  resources: resources.exactOptional(),
  restart: restart.exactOptional(),
  placement: placement.exactOptional(),
  networks: z.array(z.object({ target: text, aliases: list, options: texts })).readonly(),
  logDriver: driver.exactOptional(),
  forceUpdate: whole,
  registryAuth: text.exactOptional(),
});

const updateConfig = z.object({
  parallelism: count,
  delay: span,
  failureAction: z.enum(['pause', 'continue', 'rollback']),
  monitor: span.exactOptional(),
  maxFailureRatio: z.number(),
  order: z.enum(['stop-first', 'start-first']),
});

export const port = z.object({
  name: text,
  protocol: z.enum(['tcp', 'udp', 'sctp']),
  targetPort: count,
  publishedPort: count,
  mode: z.enum(['ingress', 'host']),
});
export const ports = z.array(port).readonly();
const endpointSpec = z.object({ mode: z.enum(['vip', 'dnsrr']), ports });
const addresses = z.object({ networkId: text, addresses: list });
const everywhere = z.array(addresses).readonly();

const mode = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('replicated'), replicas: count }),
  z.object({ kind: z.literal('global') }),
  z.object({ kind: z.literal('replicated-job'), maxConcurrent: count, totalCompletions: count }),
  z.object({ kind: z.literal('global-job') }),
]);

const serviceSpec = z.object({
  name: text,
  labels: texts,
  task: taskSpec,
  mode,
  update: updateConfig.exactOptional(),
  rollback: updateConfig.exactOptional(),
  endpoint: endpointSpec.exactOptional(),
});

const UPDATE_STATES = [
  ...(['updating', 'paused', 'completed'] as const),
  ...(['rollback_started', 'rollback_paused', 'rollback_completed'] as const),
] as const;

export const service = z.object({
  id: text,
  spec: serviceSpec,
  specVersion: whole,
  previous: z.object({ spec: serviceSpec, specVersion: whole }).exactOptional(),
  newestSpec: whole,
  createdAt: z.number(),
  updatedAt: z.number(),
  endpoint: z.object({ spec: whole, ports, virtualIps: everywhere, err: text }).exactOptional(),
  update: z
    .object({
      state: z.enum(UPDATE_STATES),
      message: text,
      startedAt: z.number(),
      completedAt: z.number().exactOptional(),
      slots: count,
      failures: count,
      from: whole,
    })
    .exactOptional(),
  job: z.object({ iteration: whole, lastExecution: z.number() }).exactOptional(),
});

export const specVersion = z.object({
  id: text,
  name: text,
  labels: texts,
  task: taskSpec,
  endpoint: endpointSpec.exactOptional(),
});

const status = z.object({
  state: z.enum([
    ...(['new', 'pending', 'assigned', 'accepted', 'preparing', 'ready', 'starting', 'running'] as const),
    ...(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'] as const),
  ]),
  message: text,
  err: text,
  at: z.number(),
});

export const task = z.object({
  id: text,
  serviceId: text,
  spec: whole,
  slot: whole,
  nodeId: text,
  desired: z.enum(['ready', 'running', 'complete', 'shutdown', 'remove']),
  status,
  networks: everywhere,
  iteration: whole.exactOptional(),
  updating: whole.exactOptional(),
  delay: span,
  createdAt: z.number(),
});

export const report = status.extend({
  id: text,
  runningAt: z.number().exactOptional(),
  container: z.object({ id: text, pid: whole, exitCode: whole }).exactOptional(),
  ports: ports.exactOptional(),
});

const family = z.union([z.literal(4), z.literal(6)]);

const network = z.object({
  id: z.string().regex(/^[0-9a-z]{1,64}$/),
  name: text,
  driver: text,
  scope: z.enum(['local', 'global', 'swarm']),
  createdAt: text,
  ipv4: z.boolean(),
  ipv6: z.boolean(),
  internal: z.boolean(),
  attachable: z.boolean(),
  configOnly: z.boolean(),
  configFrom: text,
  options: texts,
  labels: texts,
  ipam: z.object({
    driver: text,
    options: texts.nullable(),
    addressSpace: text.exactOptional(),
    config: z
      .array(
        z.object({
          subnet: text.exactOptional(),
          range: text.exactOptional(),
          gateway: text.exactOptional(),
          auxiliary: texts.exactOptional(),
        }),
      )
      .readonly(),
  }),
  pools: z
    .array(
      z.object({
        family,
        subnet: text,
        range: text.exactOptional(),
        gateway: text.exactOptional(),
        auxiliary: texts,
        pluginId: text.exactOptional(),
      }),
    )
    .readonly(),
  predefined: z.boolean(),
});

/** Overlay's own fields are its driver's: they pass. */
export const swarmNetwork = z.object({
  id: text,
  network: z.looseObject(network.shape),
  ingress: z.boolean(),
  vni: count,
  updatedAt: z.number(),
});

export const blob = z.object({
  id: text,
  name: text,
  labels: texts,
  data: text,
  driver: driver.exactOptional(),
  templating: driver.exactOptional(),
  createdAt: z.number(),
  updatedAt: z.number(),
});

export const attachment = addresses.extend({
  id: text,
  nodeId: text,
  containerId: text,
  containerName: text,
  mac: text,
  dnsNames: z.array(text).readonly(),
});

/**
 * Records as other managers wrote them: checked before anybody decides by them. A record that is not in form is left out and told of,
 * so that one bad value, or a later version's, does not stop a cluster.
 */
import * as z from 'zod';
import { parsePrefix } from '../../model/address.js';
import type { NetworkId } from '../../model/ids.js';
import type { Kept } from '../../model/swarm/kept.js';
import type { Kind, SwarmRecords } from '../../model/swarm/records.js';
import {
  attachment,
  blob,
  driver,
  report,
  service,
  specVersion,
  swarmNetwork,
  task,
} from './service-codec.js';

/** As it is in etcd, beside the number of its form. */
type Value<K extends Kind> = Omit<SwarmRecords[K], keyof Kept>;

const text = z.string();
const texts = z.record(text, text);
const count = z.number().int().nonnegative();

const cluster = z.object({
  id: text,
  spec: z.object({
    labels: texts,
    historyLimit: z.number().int(),
    heartbeatPeriod: z.number(),
    nodeCertExpiry: z.number(),
    forceRotate: z.number(),
    autoLock: z.boolean(),
    taskLogDriver: driver.exactOptional(),
    raft: z.object({
      snapshotInterval: z.number(),
      keepOldSnapshots: z.number(),
      logEntriesForSlowFollowers: z.number(),
      electionTick: z.number(),
      heartbeatTick: z.number(),
    }),
  }),
  createdAt: z.number(),
  updatedAt: z.number(),
  authorities: text,
  bridges: text.exactOptional(),
  rotation: z.object({ authority: text, bridge: text }).exactOptional(),
  asked: count.exactOptional(),
  addressPools: z.array(text),
  subnetSize: count,
  dataPort: count,
});

const node = z.object({
  id: text,
  name: text,
  labels: texts,
  role: z.enum(['worker', 'manager']),
  availability: z.enum(['active', 'pause', 'drain']),
  createdAt: z.number(),
  updatedAt: z.number(),
  number: count,
  status: z.object({ state: z.enum(['unknown', 'ready', 'disconnected', 'down']), message: text }),
});

const nodeState = z.object({
  id: text,
  description: z.object({
    hostname: text,
    architecture: text,
    os: text,
    nanoCpus: z.number(),
    memoryBytes: z.number(),
    engineVersion: text,
    labels: texts,
    plugins: z.array(z.object({ type: text, name: text })),
    tls: z.object({ trustRoot: text, issuerSubject: text, issuerPublicKey: text }),
  }),
  address: text,
  dataAddress: text,
  tunnel: z.object({ key: text, port: count }).exactOptional(),
  routes: z.array(text.refine((each) => parsePrefix(each) !== undefined)),
  // A node of an older version has said nothing of it.
  faults: z.array(text).default([]),
});

const session = z.object({ id: text, manager: text, epoch: text });
const claimed = z.object({ id: text, owner: text });

/** One for each kind, or it does not compile. */
const SCHEMAS = {
  cluster,
  node,
  'node-state': nodeState,
  session,
  service,
  'service-spec': specVersion,
  task,
  'task-status': report,
  network: swarmNetwork,
  secret: blob,
  config: blob,
  attach: attachment,
  name: claimed,
  ip: claimed,
  port: claimed,
  vni: claimed,
  number: claimed,
  subnets: z.object({ id: z.literal(''), taken: z.array(z.object({ networkId: text, subnet: text })) }),
  turn: z.object({ id: z.literal(''), count }),
} as const satisfies Readonly<Record<Kind, z.ZodType>>;

/** What a schema answers fits the record; the brand of a network's id is all that it cannot give. */
type Unbranded<T> = T extends NetworkId
  ? string
  : T extends object
    ? { readonly [Field in keyof T]: Unbranded<T[Field]> }
    : T;
type Unfit = {
  [K in Kind]: z.infer<(typeof SCHEMAS)[K]> extends Unbranded<Value<K>> ? never : K;
}[Kind];
/** Does not compile where a schema answers something else than the record that is read by it, and then names the kind. */
const EVERY_SCHEMA_FITS: [Unfit] extends [never] ? true : Unfit = true;

export const isKind = (kind: string): kind is Kind => EVERY_SCHEMA_FITS && Object.hasOwn(SCHEMAS, kind);

/** Throws where the text is not a record of this kind. */
export const decodeRecord = <K extends Kind>(kind: K, value: string): Value<K> =>
  SCHEMAS[kind].parse(JSON.parse(value)) as unknown as Value<K>; // one schema a kind, and it fits

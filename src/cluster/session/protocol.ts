/**
 * What a node and a manager say to each other on TCP 2377 (ALPN `viaduct/1`), checked at both ends: a manager trusts a node
 * with nothing but its own affairs, and a node that was given a stranger's address must not be hurt by what it answers.
 *
 * A connection without a certificate may ask whom to trust, or to join, and is closed behind the answer. With a certificate a node
 * may ask (messages with an `ask` number are answered with the same number), and it begins its session with `hello`, which the manager
 * answers with `welcome`; from then on it beats every few seconds, which the manager answers, and is told what changes. Who has heard
 * nothing for three periods takes the other one for lost.
 *
 * Logs never travel on a session. A manager that wants some has the node told to `bring` them, if need be by another manager (`summon`); the node
 * opens a connection for it (`stream`), on which the manager orders (`logs`) and the node writes records (logs/records.ts).
 */
import * as z from 'zod';
import { parsePrefix } from '../../model/address.js';
import { MOST_ROUTES } from '../routes.js';
import { assign, attachedEndpoint, reports, tunnel } from './assigned.js';
import { labels, listOf } from './bounded.js';

export const ALPN = 'viaduct/1';
/** the name in every manager's certificate: whoever dials 2377 asks for it */
export const MANAGER_NAME = 'swarm-manager';

/** milliseconds: swarmkit's period, and how many may be missed */
export const HEARTBEAT_MS = 5_000;
export const MISSED_BEATS = 3;

/** Bytes of one message: before a certificate was shown, of a node, of a manager. */
export const MOST_BYTES = { stranger: 16 * 1024, node: 1024 * 1024, manager: 64 * 1024 * 1024 } as const;

const id = z.string().regex(/^[0-9a-z]{1,64}$/);
const address = z.string().min(1).max(300);
const pem = z.string().max(32 * 1024);
const short = z.string().max(300);
const isCidr = (text: string): boolean => parsePrefix(text) !== undefined;
const descriptionSchema = z.object({
  hostname: short,
  /** as `uname -m` says */
  architecture: short,
  os: short,
  nanoCpus: z.number().nonnegative(),
  memoryBytes: z.number().nonnegative(),
  engineVersion: short,
  labels,
  plugins: listOf(z.object({ type: short, name: short }), 200),
  /** who issued its certificate, in base64, and whom it trusts */
  tls: z.object({
    trustRoot: pem,
    issuerSubject: z.string().max(4_096),
    issuerPublicKey: z.string().max(4_096),
  }),
});
export type NodeDescription = z.infer<typeof descriptionSchema>;

/** characters of one sentence; and how many are told */
export const [LONGEST_FAULT, MOST_FAULTS] = [1_000, 20] as const;
/** How a node's host is now, which changes while its session stands; a node of an older version says nothing of it. */
const condition = {
  /** CIDRs that it routes by itself */
  routes: listOf(z.string().max(50).refine(isCidr), MOST_ROUTES).exactOptional(),
  /** what is wrong with its part in the cluster, a sentence each */
  faults: listOf(z.string().max(LONGEST_FAULT), MOST_FAULTS).exactOptional(),
};

const role = z.enum(['worker', 'manager']);
export type Role = z.infer<typeof role>;

const manager = z.object({ id, address });
const managers = z.array(manager).max(100);
export type ManagerAddress = z.infer<typeof manager>;

const ask = z.number().int().nonnegative();

/** as `CertificateRequest` of ca/contract.ts */
const certificateRequest = z.object({ publicKey: pem, proof: short });

/** What a connection without a certificate may say. */
export const fromStranger = z.discriminatedUnion('type', [
  /** whose certificates are trusted here: the token says whether to believe the answer */
  z.object({ type: z.literal('authorities'), ask }),
  z.object({
    type: z.literal('join'),
    ask,
    /** the random part of the join token */
    secret: short,
    request: certificateRequest,
    availability: z.enum(['active', 'pause', 'drain']),
    /** `host:port` where others reach it; an empty host: where the manager sees it */
    advertise: address,
  }),
]);
export type FromStranger = z.infer<typeof fromStranger>;

/** Logs of tasks of the node's, as a manager orders them. */
const logs = z.object({
  type: z.literal('logs'),
  stdout: z.boolean(),
  stderr: z.boolean(),
  /** milliseconds since the epoch, by the node's clock; 0: from the beginning */
  since: z.number().min(0),
  follow: z.boolean(),
  tasks: z
    .array(
      z.object({
        id,
        /** by which records name it */
        number: z.number().int().min(0).max(0xffffffff),
        /** lines; -1: all */
        tail: z.number().int().min(-1),
        /** it was read up to there before */
        after: z.object({ time: short, lines: z.number().int().min(1) }).exactOptional(),
      }),
    )
    .max(65_536),
});
export type LogOrder = z.infer<typeof logs>;

/** What a node with a session asks for its own containers on attachable networks. */
const asked = [
  /** name or id; from the answer on it is told of the network */
  z.object({ type: z.literal('network'), ask, reference: short }),
  /** `has`: it is on the network already, with these addresses; managers do not know of it (any more) */
  z.object({ type: z.literal('attach'), ask, networkId: id, endpoint: attachedEndpoint, has: z.boolean() }),
  /** `node`: another one, which is gone for good; empty: its own */
  z.object({ type: z.literal('detach'), ask, id, node: id.or(z.literal('')) }),
  /** all that are known to be its own */
  z.object({ type: z.literal('attachments'), ask }),
] as const;
export type Asked = z.infer<(typeof asked)[number]>;

export const fromNode = z.discriminatedUnion('type', [
  ...asked,
  z.object({
    type: z.literal('hello'),
    description: descriptionSchema,
    advertise: address,
    dataPath: z.string().max(300),
    tunnel: tunnel.exactOptional(),
    ...condition,
  }),
  z.object({ type: z.literal('beat') }),
  z.object({ type: z.literal('describe'), description: descriptionSchema, ...condition }),
  /** a new certificate: for its role as the cluster has it now */
  z.object({ type: z.literal('renew'), ask, request: certificateRequest, advertise: address }),
  /** a node with a manager's certificate asks for its place among the managers */
  z.object({ type: z.literal('enrol'), ask, address }),
  z.object({ type: z.literal('leave'), ask }),
  reports,
  /** of a manager: a node that has its session with the one that is asked is to bring logs */
  z.object({ type: z.literal('summon'), ask, node: id, stream: id }),
  /** it was told to bring logs, and this is the connection for them */
  z.object({ type: z.literal('stream'), ask, stream: id }),
]);
export type FromNode = z.infer<typeof fromNode>;

/** What a node is to be: by its certificate, and whom it is to trust. */
const standing = {
  role,
  authorities: pem,
  /** the public key (SPKI, base64) of whoever gives certificates now; absent: of an older manager, which has never another one */
  issuer: z.string().max(4_096).exactOptional(),
} as const;

export const fromManager = z.discriminatedUnion('type', [
  z.object({ type: z.literal('refused'), ask: ask.optional(), reason: z.string().max(4_096) }),
  z.object({ type: z.literal('authorities'), ask, authorities: pem }),
  z.object({
    type: z.literal('issued'),
    ask,
    certificate: pem,
    /** whom the cluster trusts */
    authorities: pem,
    nodeId: id,
    clusterId: id,
    role,
    /** of this node, whole */
    advertise: address,
    managers,
  }),
  z.object({
    type: z.literal('welcome'),
    heartbeatMs: z.number().int().min(100).max(3_600_000),
    managers,
    ...standing,
    /** of the gossip, base64, the one in use first */
    gossipKeys: z.array(short).max(10),
  }),
  z.object({ type: z.literal('beat') }),
  z.object({ type: z.literal('managers'), managers }),
  /** its role has changed, or an authority takes another's place: it asks for a new certificate where its own is not so */
  z.object({ type: z.literal('role'), ...standing }),
  z.object({
    type: z.literal('enrolled'),
    ask,
    /** for etcd's --initial-cluster */
    members: z.array(z.object({ name: short, address })).max(100),
    /** what the cluster's secrets are sealed with, base64 */
    dataKey: short,
  }),
  z.object({ type: z.literal('done'), ask }),
  /** empty: there is none */
  z.object({ type: z.literal('network'), ask, id: id.or(z.literal('')) }),
  /** bare addresses that others have; none: it is attached */
  z.object({ type: z.literal('attached'), ask, taken: z.array(short).max(10_000) }),
  z.object({
    type: z.literal('attachments'),
    ask,
    /** addresses are bare */
    known: z.array(
      z.object({
        id,
        networkId: id,
        addresses: z.array(short),
        containerName: short,
        dnsNames: z.array(short),
      }),
    ),
  }),
  assign,
  /** to that manager, on a connection of its own */
  z.object({ type: z.literal('bring'), stream: id, manager }),
  logs,
  /** it is not in the cluster any more */
  z.object({ type: z.literal('removed') }),
]);
export type FromManager = z.infer<typeof fromManager>;
export type Answer<Type extends FromManager['type']> = Extract<FromManager, { readonly type: Type }>;

/**
 * Requests and answers of etcd's JSON gateway (`etcdserverpb` as JSON: bytes in base 64, 64-bit numbers as texts, defaults left
 * out) from and to this project's data. Pure.
 */
import * as z from 'zod';
import type {
  Compare,
  Entry,
  LeaseId,
  Member,
  MemberId,
  Operation,
  OperationResult,
  RangeRequest,
  Selection,
  Txn,
} from './contract.js';

const to64 = (text: string): string => Buffer.from(text).toString('base64');
const from64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** `\0` as key and as end: all keys there are, or all behind the key. */
const ZERO = Buffer.from([0]);

/** The first key behind all with the prefix: UTF-8 has no byte 255, so the last one can always be one more. */
const behind = (prefix: string): Buffer => {
  const bytes = Buffer.from(prefix);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) + 1;
  return bytes;
};

const selection = (selected: Selection): { readonly key: string; readonly range_end?: string } => {
  if ('key' in selected) return { key: to64(selected.key) };
  const { prefix } = selected;
  if (prefix === '') return { key: ZERO.toString('base64'), range_end: ZERO.toString('base64') };
  return { key: to64(prefix), range_end: behind(prefix).toString('base64') };
};

export const rangeBody = (request: RangeRequest): object => {
  const { limit, after, revision, serializable, keysOnly } = request;
  return {
    ...selection(request),
    // The next key in byte order is this one with a zero byte.
    ...(after === undefined ? {} : { key: to64(`${after}\0`) }),
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(revision === undefined ? {} : { revision: String(revision) }),
    ...(serializable ? { serializable: true } : {}),
    ...(keysOnly ? { keys_only: true } : {}),
  };
};

const SIGNS = { '=': 'EQUAL', '!=': 'NOT_EQUAL', '<': 'LESS', '>': 'GREATER' } as const;

const compared = (compare: Compare): object => {
  if ('createRevision' in compare)
    return { target: 'CREATE', create_revision: String(compare.createRevision) };
  if ('modRevision' in compare) return { target: 'MOD', mod_revision: String(compare.modRevision) };
  if ('version' in compare) return { target: 'VERSION', version: String(compare.version) };
  if ('value' in compare) return { target: 'VALUE', value: to64(compare.value) };
  return { target: 'LEASE', lease: compare.lease ?? '0' };
};

const comparison = (compare: Compare): object => ({
  ...selection(compare),
  result: SIGNS[compare.is ?? '='],
  ...compared(compare),
});

export const putBody = (key: string, value: string, lease?: LeaseId): object => ({
  key: to64(key),
  value: to64(value),
  ...(lease === undefined ? {} : { lease }),
});

export const deleteBody = (selected: Selection): object => selection(selected);

const operation = (op: Operation): object => {
  switch (op.do) {
    case 'put':
      return { request_put: putBody(op.key, op.value, op.lease) };
    case 'delete':
      return { request_delete_range: selection(op) };
    case 'get':
      return { request_range: selection(op) };
  }
};

export const txnBody = ({ compare = [], success, failure = [] }: Txn): object => ({
  compare: compare.map(comparison),
  success: success.map(operation),
  failure: failure.map(operation),
});

/** `fragment`: what is too much for one message comes in several. */
export const watchBody = (selected: Selection, from: number): object => ({
  create_request: {
    ...selection(selected),
    start_revision: String(from),
    progress_notify: true,
    fragment: true,
  },
});

const count = z.coerce.number().default(0);
/** 64 bits: more than a number holds */
const id = z.string().regex(/^\d{1,20}$/);
const bytes = z.string().default('').transform(from64);

const header = z.object({ revision: count }).default({ revision: 0 });

const entry = z
  .object({
    key: bytes,
    value: bytes,
    create_revision: count,
    mod_revision: count,
    version: count,
    lease: id.optional(),
  })
  .transform(
    ({ key, value, create_revision, mod_revision, version, lease }): Entry => ({
      key,
      value,
      createRevision: create_revision,
      modRevision: mod_revision,
      version,
      ...(lease === undefined || lease === '0' ? {} : { lease: lease as LeaseId }), // checked above
    }),
  );

const entries = z.array(entry).default([]);

export const rangeAnswer = z.object({ header, kvs: entries, more: z.boolean().default(false) });
export const putAnswer = z.object({ header });
export const deleteAnswer = z.object({ header, deleted: count });

const response = z
  .object({
    response_put: z.unknown().optional(),
    response_delete_range: z.object({ deleted: count }).optional(),
    response_range: z.object({ kvs: entries }).optional(),
  })
  .transform(({ response_delete_range, response_range }): OperationResult => {
    if (response_delete_range) return { do: 'delete', deleted: response_delete_range.deleted };
    return response_range ? { do: 'get', entries: response_range.kvs } : { do: 'put' };
  });

export const txnAnswer = z.object({
  header,
  succeeded: z.boolean().default(false),
  responses: z.array(response).default([]),
});

const event = z.object({ type: z.enum(['PUT', 'DELETE']).default('PUT'), kv: entry });

/** One line of a watch: a result, or the error that ends it. */
export const watchLine = z.object({
  error: z.unknown().optional(),
  result: z
    .object({
      header,
      created: z.boolean().default(false),
      canceled: z.boolean().default(false),
      compact_revision: count,
      cancel_reason: z.string().default(''),
      fragment: z.boolean().default(false),
      events: z.array(event).default([]),
    })
    .optional(),
});
export type WatchResult = NonNullable<z.infer<typeof watchLine>['result']>;

const leaseId = id.transform((text) => text as LeaseId); // checked by `id`
export const leaseGranted = z.object({ ID: leaseId, TTL: count });
/** One line of a stream. No time left: the lease has ended. */
export const leaseKept = z.object({
  error: z.unknown().optional(),
  result: z.object({ TTL: count }).optional(),
});

const memberId = id.transform((text) => text as MemberId); // checked by `id`
const member = z
  .object({
    ID: memberId,
    name: z.string().default(''),
    peerURLs: z.array(z.string()).default([]),
    isLearner: z.boolean().default(false),
  })
  .transform(
    ({ ID, name, peerURLs, isLearner }): Member => ({ id: ID, name, peerUrls: peerURLs, learner: isLearner }),
  );
export const memberList = z.object({ members: z.array(member).default([]) });
export const memberAdded = z.object({ member });

export const statusAnswer = z.object({
  header: z.object({ cluster_id: id, member_id: memberId, revision: count }),
  version: z.string(),
  dbSize: count,
  dbSizeInUse: count,
  leader: id.default('0'),
  raftTerm: count,
  errors: z.array(z.string()).default([]),
  isLearner: z.boolean().default(false),
});

export const alarmList = z.object({
  alarms: z.array(z.object({ memberID: memberId, alarm: z.string() })).default([]),
});

/** One line of a snapshot. */
export const snapshotLine = z.object({
  error: z.unknown().optional(),
  result: z.object({ remaining_bytes: count, blob: z.string().default('') }).optional(),
});

/** Where only its being there matters. */
export const anything = z.unknown();

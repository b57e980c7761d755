/** What etcd's refusals mean: the one place that reads its messages. */
import * as z from 'zod';
import { shown } from '../../model/address.js';
import type { EtcdFailure } from './contract.js';

export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  constructor(
    readonly failure: EtcdFailure,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Where the kind of failure is all that matters: `isEtcd(error, 'compacted')`. */
export const isEtcd = (error: unknown, kind: EtcdFailure['kind']): boolean =>
  error instanceof EtcdError && error.failure.kind === kind;

export const unavailable = (message: string, sent: boolean, cause?: unknown): EtcdError =>
  new EtcdError({ kind: 'unavailable', sent }, message, { cause });

/** Part of the message → failure, the first that fits; texts of `etcdserver/api/v3rpc/rpctypes/error.go` and gRPC's own. */
const BY_MESSAGE: readonly (readonly [part: string, failure: EtcdFailure])[] = [
  ['etcdserver: no leader', { kind: 'no-leader' }],
  ['required revision has been compacted', { kind: 'compacted', revision: 0 }],
  ['database space exceeded', { kind: 'no-space' }],
  ['request is too large', { kind: 'too-large' }],
  ['too many operations in txn', { kind: 'too-large' }],
  ['message larger than max', { kind: 'too-large' }],
  ['requested lease not found', { kind: 'no-lease' }],
  ['member not found', { kind: 'no-member' }],
  ['Peer URLs already exists', { kind: 'member-exists' }],
  ['unhealthy cluster', { kind: 'not-ready' }],
  ['in sync with leader', { kind: 'not-ready' }],
  ['not enough started members', { kind: 'not-ready' }],
  ['too many learner members', { kind: 'not-ready' }],
  ['too many requests', { kind: 'unavailable', sent: false }],
  ['not supported for learner', { kind: 'unavailable', sent: false }],
  ['timed out', { kind: 'unavailable', sent: true }],
  ['deadline exceeded', { kind: 'unavailable', sent: true }],
];

/** gRPC's codes of requests that were not decided: canceled, unknown, deadline exceeded, aborted, unavailable. */
const UNDECIDED = new Set([1, 2, 4, 10, 14]);

const told = z.object({
  /** versions before 3.6 say it twice */
  error: z.string().optional(),
  message: z.string().optional(),
  code: z.number().optional(),
  grpc_code: z.number().optional(),
});

const failureOf = (message: string, code: number | undefined): EtcdFailure =>
  BY_MESSAGE.find(([part]) => message.includes(part))?.[1] ??
  (code === undefined || UNDECIDED.has(code) ? { kind: 'unavailable', sent: true } : { kind: 'refused' });

/** From the `error` of a stream's line, or the body of an answer that is not 200. What is neither is a server that fails. */
export const refusal = (value: unknown, operation: string): EtcdError => {
  const { error, message, code, grpc_code } = told.safeParse(value).data ?? {};
  const text = message ?? error ?? 'an answer that is not etcd’s';
  return new EtcdError(failureOf(text, code ?? grpc_code), `etcd ${operation}: ${shown(text)}`);
};

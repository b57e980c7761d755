/** Refusals of a manager as swarmkit's reach Docker's users: with gRPC's words in front, and a status by its code. */
import {
  conflict,
  forbidden,
  internal,
  invalid,
  notFound,
  notImplemented,
  refused,
  unavailable,
  type ViaductError,
} from '../errors.js';

const KINDS = {
  InvalidArgument: invalid,
  FailedPrecondition: invalid,
  NotFound: notFound,
  AlreadyExists: conflict,
  PermissionDenied: forbidden,
  Unavailable: unavailable,
  Unimplemented: notImplemented,
  /** carries no code of its own in swarmkit; the user's doing all the same */
  Unknown: refused,
  Internal: internal,
} as const;

export const rpcError = (code: keyof typeof KINDS, text: string, cause?: unknown): ViaductError =>
  KINDS[code](`rpc error: code = ${code} desc = ${text}`, cause);

/** What a manager refused, of the kind that its words say. */
export const refusal = (text: string): ViaductError => {
  const [, code = ''] = /^rpc error: code = (\w+) /.exec(text) ?? [];
  const kind = Object.entries(KINDS).find(([each]) => each === code)?.[1] ?? refused;
  return kind(text);
};

export const outOfSequence = (): ViaductError => rpcError('Unknown', 'update out of sequence');

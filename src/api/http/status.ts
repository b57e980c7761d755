/** The one place where a kind of failure becomes an HTTP status. Never decided on message text. */
import { type ErrorKind, messageOf, ViaductError } from '../../errors.js';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  'not-modified': 304,
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  refused: 500,
  internal: 500,
  kernel: 500,
  'not-implemented': 501,
  unavailable: 503,
};

/** Status and text of anything thrown. What nobody typed is an internal error. */
export const describeFailure = (failure: unknown): { readonly status: number; readonly message: string } => {
  if (failure instanceof ViaductError) return { status: STATUS[failure.kind], message: failure.message };
  return { status: STATUS.internal, message: messageOf(failure) };
};

/** Is it something to look into? 501 and 503 are answers. */
export const isFault = (failure: unknown): boolean =>
  describeFailure(failure).status === 500 && !(failure instanceof ViaductError && failure.kind === 'refused');

/** The kinds of failure a command can end in. No HTTP here: `api/http/status.ts` maps kinds to statuses. */

export type ErrorKind =
  | 'not-modified'
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  /** the user's own doing, for which Docker has no better status than an internal error's */
  | 'refused'
  | 'internal'
  | 'kernel'
  | 'not-implemented'
  | 'unavailable';

/** A failure typed once, at the boundary that knows its kind. The message is what the user reads. */
export class ViaductError extends Error {
  override readonly name: string = 'ViaductError';
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** A refused netlink or system call: keeps errno, the kernel's extended acknowledgement and what was tried. */
export class KernelError extends ViaductError {
  override readonly name = 'KernelError';
  constructor(
    /** positive errno, e.g. 17 for EEXIST */
    readonly errno: number,
    /** the operation and the key of its object, e.g. `link create br-4f…` */
    readonly operation: string,
    /** NLMSGERR_ATTR_MSG, empty where the kernel gave none */
    readonly acknowledgement: string,
    options?: { cause?: unknown },
  ) {
    super('kernel', `${operation}: errno ${errno}${acknowledgement ? ` (${acknowledgement})` : ''}`, options);
  }
}

/** A host port that cannot be had; the engine adds for which endpoint it was wanted. */
export class PortError extends ViaductError {
  override readonly name = 'PortError';
  constructor(message: string, cause?: unknown) {
    super('refused', message, cause === undefined ? undefined : { cause });
  }
}

/** Refused inverses of a refused plan, told of as its `cause`: what the plan made is in the kernel, or what it took away is not. */
class UndoError extends AggregateError {
  override readonly name = 'UndoError';
}

/** True where the kernel is in neither the old state nor the new one after `error`. */
export const leftDirty = (error: unknown): boolean =>
  error instanceof Error && error.cause instanceof UndoError;

/** The refusal itself, with its class and message; refused inverses become its cause, beside the first one. */
export const withUndoErrors = (error: unknown, refusals: readonly unknown[]): unknown => {
  if (refusals.length === 0 || !(error instanceof Error)) return error;
  const cause = new UndoError(
    [error.cause, ...refusals].filter((e) => e !== undefined),
    'could not take everything back',
  );
  if (error instanceof KernelError)
    return new KernelError(error.errno, error.operation, error.acknowledgement, { cause });
  if (error instanceof ViaductError) return new ViaductError(error.kind, error.message, { cause });
  return new Error(error.message, { cause });
};

/** The failure in other words, its class kept; what nobody typed stays as it is. */
export const reworded = (error: unknown, words: (message: string) => string): unknown =>
  error instanceof ViaductError
    ? new ViaductError(error.kind, words(error.message), { cause: error })
    : error;

/** Its message; of what is no Error, what it is as a text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What `work` answers; undefined where it fails, for whatever reason. */
export const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

const error =
  (kind: ErrorKind) =>
  (message: string, cause?: unknown): ViaductError =>
    new ViaductError(kind, message, cause === undefined ? undefined : { cause });

export const notModified = error('not-modified');
export const invalid = error('invalid');
export const unauthorized = error('unauthorized');
export const forbidden = error('forbidden');
export const notFound = error('not-found');
export const conflict = error('conflict');
export const refused = error('refused');
export const internal = error('internal');
export const notImplemented = error('not-implemented');
export const unavailable = error('unavailable');

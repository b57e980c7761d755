/** What the system refused: its error numbers by their names, and whether an error is one of them, whoever threw it. */
import { constants } from 'node:os';
import { KernelError } from './errors.js';

export const {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EBUSY,
  ECONNRESET,
  EEXIST,
  EINPROGRESS,
  EINTR,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  EMSGSIZE,
  ENAMETOOLONG,
  ENETDOWN,
  ENOBUFS,
  ENODEV,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EOPNOTSUPP,
  EPERM,
  EPROTO,
  EROFS,
  ESRCH,
  EWOULDBLOCK,
} = constants.errno;
/** To be sent again (Linux's `include/linux/errno.h`); nf_tables answers it where the ruleset changed meanwhile. */
export const ERESTART = 85;

/** Of Node's own file calls (which have it negative), of system calls and of netlink; 0: something else failed. */
const errnoOf = (error: unknown): number =>
  error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? Math.abs(error.errno) : 0;

export const failedWith = (error: unknown, ...errnos: readonly number[]): boolean =>
  errnos.includes(errnoOf(error));

/** What `work` answers; undefined where there is no such thing (ENOENT), or the system refuses it with one of `also`. */
export const ifThere = <T>(work: () => T, ...also: readonly number[]): T | undefined => {
  try {
    return work();
  } catch (error) {
    if (failedWith(error, ENOENT, ...also)) return undefined;
    throw error;
  }
};

/** What `work` answers; what the system refuses of it is a KernelError by the name of what was tried. */
export const asKernelError = <T>(
  operation: string,
  work: () => T,
  told: (cause: Error) => string = () => '',
): T => {
  try {
    return work();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (!(cause instanceof Error) || errno === 0) throw cause;
    throw new KernelError(errno, operation, told(cause), { cause });
  }
};

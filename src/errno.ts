/** Error numbers of the system, by their names, for the files that ask a system call what it refused. */
import { constants } from 'node:os';

export const {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EBUSY,
  EEXIST,
  EINPROGRESS,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENAMETOOLONG,
  ENETDOWN,
  ENOBUFS,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  EPROTO,
  ESRCH,
  EWOULDBLOCK,
} = constants.errno;

/**
 * libc through koffi: the only file that loads FFI. Thin and synchronous; each wrapper throws a SystemError with errno
 * on -1. What waits in the kernel for others has a second form, named `…Later`, that waits in one of libuv's threads. Constants
 * are those of `include/uapi/linux` on x86-64 and arm64.
 */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { EAGAIN, EWOULDBLOCK } from '../errno.js';

// koffi is CommonJS with a native addon; a static import would be hoisted before the ABI check below.
const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
const libc = koffi.load('libc.so.6');

const c = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *addr, uint32_t len)'),
  connect: libc.func('int connect(int fd, const void *addr, uint32_t len)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  accept4: libc.func('int accept4(int fd, void *addr, void *len, int flags)'),
  sendto: libc.func(
    'intptr_t sendto(int fd, const void *buf, size_t len, int flags, const void *addr, uint32_t addrlen)',
  ),
  recv: libc.func('intptr_t recv(int fd, void *buf, size_t len, int flags)'),
  recvfrom: libc.func(
    'intptr_t recvfrom(int fd, void *buf, size_t len, int flags, void *from, void *fromLen)',
  ),
  poll: libc.func('int poll(void *fds, unsigned long count, int timeout)'),
  recvmsg: libc.func('intptr_t recvmsg(int fd, void *msg, int flags)'),
  recvmmsg: libc.func('int recvmmsg(int fd, void *vec, uint32_t count, int flags, void *timeout)'),
  sendmmsg: libc.func('int sendmmsg(int fd, void *vec, uint32_t count, int flags)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t len)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *len)'),
  getsockname: libc.func('int getsockname(int fd, void *addr, void *len)'),
  socketpair: libc.func('int socketpair(int domain, int type, int protocol, void *fds)'),
  dup3: libc.func('int dup3(int oldfd, int newfd, int flags)'),
  open: libc.func('int open(const char *path, int flags, int mode)'),
  close: libc.func('int close(int fd)'),
  setns: libc.func('int setns(int fd, int nstype)'),
  unshare: libc.func('int unshare(int flags)'),
  mount: libc.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: libc.func('int umount2(const char *target, int flags)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  fcntl: libc.func('int fcntl(int fd, int command, long argument)'),
  flock: libc.func('int flock(int fd, int operation)'),
  eventfd: libc.func('int eventfd(unsigned int initial, int flags)'),
  prlimit: libc.func('int prlimit(int pid, int resource, const void *newLimit, void *oldLimit)'),
  posix_spawnp: libc.func(
    'int posix_spawnp(_Out_ int *pid, const char *path, void *actions, void *attributes, char **argv, char **envp)',
  ),
  spawnActionsInit: libc.func('int posix_spawn_file_actions_init(void *actions)'),
  spawnActionsDestroy: libc.func('int posix_spawn_file_actions_destroy(void *actions)'),
  spawnDup2: libc.func('int posix_spawn_file_actions_adddup2(void *actions, int fd, int newfd)'),
  spawnOpen: libc.func(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, uint32_t mode)',
  ),
  spawnChdir: libc.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)'),
  spawnAttributesInit: libc.func('int posix_spawnattr_init(void *attributes)'),
  spawnSetFlags: libc.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
  spawnSetDefault: libc.func('int posix_spawnattr_setsigdefault(void *attributes, const void *set)'),
  spawnSetMask: libc.func('int posix_spawnattr_setsigmask(void *attributes, const void *set)'),
  sigfillset: libc.func('int sigfillset(void *set)'),
  waitpid: libc.func('int waitpid(int pid, void *status, int options)'),
  if_nametoindex: libc.func('uint32_t if_nametoindex(const char *name)'),
  pipe2: libc.func('int pipe2(void *fds, int flags)'),
  // syscall(2) is variadic in C; integers and pointers are passed alike on x86-64 and arm64.
  syscallBytes: libc.func(
    'long syscall(long number, long fd, const void *path, const void *argument, size_t length)',
  ),
  syscallInts: libc.func('long syscall(long number, long a, long b, const void *c, long d)'),
};

/** A failed system call. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  constructor(
    readonly call: string,
    readonly errno: number,
    detail = '',
  ) {
    super(`${call}${detail ? ` ${detail}` : ''}: ${getSystemErrorName(-errno)}`);
  }
  /** `EEXIST`… */
  get code(): string {
    return getSystemErrorName(-this.errno);
  }
}

/** For the other files of calls; this one alone loads the library. */
export const declare = (signature: string): ReturnType<typeof libc.func> => libc.func(signature);

/** Throws SystemError where the call answered -1. `detail` is made afterwards: errno is the thread's last. */
export const checked = (call: string, result: number, detail?: string | (() => string)): number => {
  if (result >= 0) return result;
  const errno = koffi.errno();
  throw new SystemError(call, errno, typeof detail === 'function' ? detail() : detail);
};

export const AF = { UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
/** `asm-generic/socket.h`, for `setsockopt`. */
export const SOL = { SOCKET: 1, NETLINK: 270 } as const;
export const SO = {
  REUSEADDR: 2,
  SNDBUF: 7,
  RCVBUF: 8,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  ATTACH_FILTER: 26,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  PROTOCOL: 38,
  MEMINFO: 55,
} as const;
export const SOCK = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;
export const CLONE = { NEWNS: 0x20000, NEWNET: 0x40000000 } as const;
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
} as const;
const MNT_DETACH = 2;
export const MSG = { DONTWAIT: 0x40, PEEK: 2, TRUNC: 0x20 } as const;
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

export const socket = (domain: number, type: number, protocol = 0): number =>
  checked('socket', c.socket(domain, type | SOCK.CLOEXEC, protocol));
export const bind = (fd: number, address: Buffer): void =>
  void checked('bind', c.bind(fd, address, address.length));
export const connect = (fd: number, address: Buffer): void =>
  void checked('connect', c.connect(fd, address, address.length));
export const listen = (fd: number, backlog: number): void => void checked('listen', c.listen(fd, backlog));
/** Waits for a connection, where the socket does. */
export const accept = (fd: number): number => checked('accept4', c.accept4(fd, null, null, SOCK.CLOEXEC));
export const send = (fd: number, data: Buffer, flags = 0, to: Buffer | null = null): number =>
  checked('send', Number(c.sendto(fd, data, data.length, flags, to, to?.length ?? 0)));
/**
 * The call in one of libuv's threads, which the file system has too: one at a time of a kind. Answers what it returned, or
 * -1 (the thread's errno is lost).
 */
const inThread = (call: ReturnType<typeof libc.func>, ...args: readonly unknown[]): Promise<number> =>
  new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, result: number | bigint) =>
      error ? reject(error) : resolve(Number(result)),
    );
  });
/** `send` where the kernel waits (deleting links: 16–70 ms). Answers the bytes sent, or -1. */
export const sendLater = (fd: number, data: Buffer): Promise<number> =>
  inThread(c.sendto, fd, data, data.length, 0, null, 0);
/** Bytes read; -1 where a non-blocking socket has nothing. */
export const recv = (fd: number, into: Buffer, flags = 0): number => {
  const n = Number(c.recv(fd, into, into.length, flags));
  if (n >= 0) return n;
  const errno = koffi.errno();
  if (errno === EAGAIN) return -1;
  throw new SystemError('recv', errno);
};
/** Without waiting: the datagram's length, which may be more than `into` holds, and who sent it; -1 where there is none. */
export const recvFrom = (fd: number, into: Buffer, from: Buffer): number => {
  const room = Buffer.alloc(4);
  room.writeUInt32LE(from.length);
  return Number(c.recvfrom(fd, into, into.length, MSG.DONTWAIT | MSG.TRUNC, from, room));
};
/** Resolves when one of them can be read, or the call failed. */
export const pollLater = async (fds: readonly number[]): Promise<void> => {
  const POLLIN = 1;
  const polled = Buffer.alloc(Math.max(8 * fds.length, OUTSIDE_V8));
  for (const [i, fd] of fds.entries()) {
    polled.writeInt32LE(fd, 8 * i);
    polled.writeInt16LE(POLLIN, 8 * i + 4);
  }
  await inThread(c.poll, polled, fds.length, -1);
};
/** Bytes: V8 moves smaller buffers. */
const OUTSIDE_V8 = 128;
/** Where the bytes live, for structures that point at others. Only for buffers of more than 64 bytes: V8 moves small ones. */
export const addressOf = (bytes: Buffer): bigint => BigInt(koffi.address(bytes));
/** Receives up to `count` datagrams into an array of `mmsghdr` (64 bytes each) without waiting; 0 where there are none. */
export const recvmmsg = (fd: number, headers: Buffer, count: number): number => {
  const n = c.recvmmsg(fd, headers, count, MSG.DONTWAIT, null);
  if (n >= 0) return n;
  const errno = koffi.errno();
  if (errno === EAGAIN) return 0;
  throw new SystemError('recvmmsg', errno);
};
/** Datagrams sent of the `count` described in `headers`; -1 where the first one was refused. Never waits nor throws. */
export const sendmmsg = (fd: number, headers: Buffer, count: number): number =>
  c.sendmmsg(fd, headers, count, MSG.DONTWAIT);
export const setsockopt = (fd: number, level: number, name: number, value: Buffer): void =>
  void checked('setsockopt', c.setsockopt(fd, level, name, value, value.length));
export const setsockoptInt = (fd: number, level: number, name: number, value: number): void => {
  const b = Buffer.alloc(4);
  b.writeInt32LE(value);
  setsockopt(fd, level, name, b);
};
/** Fills `into`; answers the bytes written. */
export const getsockopt = (fd: number, level: number, name: number, into: Buffer): number => {
  const len = Buffer.alloc(4);
  len.writeUInt32LE(into.length);
  checked('getsockopt', c.getsockopt(fd, level, name, into, len));
  return len.readUInt32LE();
};
export const getsockname = (fd: number): Buffer => {
  const address = Buffer.alloc(128);
  const len = Buffer.alloc(4);
  len.writeUInt32LE(address.length);
  checked('getsockname', c.getsockname(fd, address, len));
  return address.subarray(0, len.readUInt32LE());
};
export const socketpair = (domain: number, type: number): readonly [number, number] => {
  const fds = Buffer.alloc(8);
  checked('socketpair', c.socketpair(domain, type | SOCK.CLOEXEC, 0, fds));
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
};
/** Reading end, writing end. */
export const pipe = (): readonly [number, number] => {
  const fds = Buffer.alloc(8);
  checked('pipe2', c.pipe2(fds, SOCK.CLOEXEC));
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
};
export const dup3 = (from: number, to: number): void => void checked('dup3', c.dup3(from, to, SOCK.CLOEXEC));
export const dup = (fd: number): number => fcntl(fd, F_DUPFD_CLOEXEC, 3);
const F_DUPFD_CLOEXEC = 1030; // include/uapi/linux/fcntl.h
export const open = (path: string, flags: number, mode = 0): number =>
  checked('open', c.open(path, flags | O.CLOEXEC, mode), path);
export const close = (fd: number): void => void checked('close', c.close(fd));
export const setns = (fd: number, type: number): void => void checked('setns', c.setns(fd, type));
export const unshare = (flags: number): void => void checked('unshare', c.unshare(flags));
export const mount = (source: string, target: string, type: string, flags: number, data: string): void =>
  void checked('mount', c.mount(source, target, type, flags, data), target);
export const umount = (target: string, flags: number = MNT_DETACH): void =>
  void checked('umount', c.umount2(target, flags), target);
/** Both wait for everybody who mounts, the second one also for RCU and, of a file system's last mount, for the disk. */
export const mountLater = async (...args: Parameters<typeof mount>): Promise<void> => {
  if ((await inThread(c.mount, ...args)) < 0) mount(...args); // for the errno
};
export const umountLater = async (target: string): Promise<void> => {
  if ((await inThread(c.umount2, target, MNT_DETACH)) < 0) umount(target); // for the errno
};
/**
 * Of a bind. It shares with what it is a copy of, where that is shared: unmounted so, it would take along what is mounted below the
 * original. Throws EINVAL where nothing is mounted.
 */
export const umountAlone = async (target: string): Promise<void> => {
  await mountLater('', target, '', MS.REC | MS.PRIVATE, '');
  await umountLater(target);
};
export const ioctl = (fd: number, request: number, argument: Buffer): number =>
  checked('ioctl', c.ioctl(fd, request, argument));
export const fcntl = (fd: number, command: number, argument: number): number =>
  checked('fcntl', c.fcntl(fd, command, argument));
/** An exclusive flock(2), kept until the last descriptor of this open file is closed. False where another has it. */
export const tryLock = (fd: number): boolean => {
  const [LOCK_EX, LOCK_NB] = [2, 4];
  if (c.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = koffi.errno();
  if (errno === EWOULDBLOCK) return false;
  throw new SystemError('flock', errno);
};
export const eventfd = (): number => checked('eventfd', c.eventfd(0, SOCK.CLOEXEC));
/** 0 where no interface of that name is in the current namespace. */
export const ifNameToIndex = (name: string): number => c.if_nametoindex(name);

/** Raises this process's soft and hard limit of open files (RLIMIT_NOFILE, 7). Needs CAP_SYS_RESOURCE above the hard one. */
export const raiseOpenFiles = (limit: number): void => {
  const value = Buffer.alloc(16);
  value.writeBigUInt64LE(BigInt(limit), 0);
  value.writeBigUInt64LE(BigInt(limit), 8);
  checked('prlimit', c.prlimit(0, 7, value, null));
};

/** One record with at most one passed descriptor (SCM_RIGHTS); for `--console-socket`. -1 where none came. */
export const recvDescriptor = (fd: number): number => {
  const data = Buffer.alloc(4096);
  const control = Buffer.alloc(64);
  const iov = Buffer.alloc(16);
  iov.writeBigUInt64LE(BigInt(koffi.address(data)), 0);
  iov.writeBigUInt64LE(BigInt(data.length), 8);
  const msg = Buffer.alloc(56);
  msg.writeBigUInt64LE(BigInt(koffi.address(iov)), 16);
  msg.writeBigUInt64LE(1n, 24);
  msg.writeBigUInt64LE(BigInt(koffi.address(control)), 32);
  msg.writeBigUInt64LE(BigInt(control.length), 40);
  checked('recvmsg', Number(c.recvmsg(fd, msg, 0x40000000)));
  const got = Number(msg.readBigUInt64LE(40));
  return got >= 20 && control.readInt32LE(8) === 1 && control.readInt32LE(12) === 1
    ? control.readInt32LE(16)
    : -1;
};

/** `openat2` flags of `include/uapi/linux/openat2.h`. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 0x10 } as const;
/** openat2(2), system call 437 (Linux 5.6): opens `path` (text, or bytes with their NUL) below `directory` under the rules of `resolve`. */
export const openat2 = (
  directory: number,
  path: string | Buffer,
  flags: number,
  resolve: number,
  mode = 0,
): number => {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O.CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const bytes = typeof path === 'string' ? Buffer.from(`${path}\0`) : path;
  return checked('openat2', Number(c.syscallBytes(437, directory, bytes, how, how.length)), () =>
    bytes.toString('utf8', 0, bytes.length - 1),
  );
};
/** pidfd_open(2), system call 434 (Linux 5.3). */
export const pidfdOpen = (pid: number): number =>
  checked('pidfd_open', Number(c.syscallInts(434, pid, 0, null, 0)), String(pid));
/** pidfd_getfd(2), system call 438 (Linux 5.6): the process's descriptor as one of ours, for the same open file. */
export const pidfdGetfd = (pidfd: number, fd: number): number =>
  checked('pidfd_getfd', Number(c.syscallInts(438, pidfd, fd, null, 0)), String(fd));
/** pidfd_send_signal(2), system call 424: never reaches a process that took over the pid. */
export const pidfdSendSignal = (pidfd: number, signal: number): void =>
  void checked('pidfd_send_signal', Number(c.syscallInts(424, pidfd, signal, null, 0)));

/** Sizes of glibc's opaque types, rounded up: posix_spawn_file_actions_t (80), posix_spawnattr_t (336), sigset_t (128). */
const SPAWN_ACTIONS = 128;
const SPAWN_ATTRIBUTES = 512;
const SIGNAL_SET = 128;
/** `spawn.h`: signals at their defaults, none blocked, a session of its own. */
const POSIX_SPAWN = { SETSIGDEF: 0x04, SETSIGMASK: 0x08, SETSID: 0x80 } as const;
const O_RDWR = 2;

export interface SpawnRequest {
  /** path of the program, or a name that PATH leads to */
  readonly path: string;
  /** with the program's name first */
  readonly argv: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly cwd: string;
  /** descriptors of ours that become 0, 1, 2… of the child; null: /dev/null. All others are closed by CLOEXEC. */
  readonly fds: readonly (number | null)[];
}

const spawned = (errno: number, path: string): void => {
  if (errno !== 0) throw new SystemError('posix_spawn', errno, path);
};

/**
 * A child process without copying our page tables: posix_spawn(3) shares them until exec, so a start costs under a
 * millisecond where fork copies for 3–15 ms with a grown heap. Not in a thread: until it has its program the child has all our
 * descriptors, and what is closed here meanwhile (a published port) would still be open there. It leads a session of its own,
 * so that it can be ended with all that it started. Answers the pid; the caller reaps it.
 */
export const posixSpawn = ({ path, argv, env, cwd, fds }: SpawnRequest): number => {
  const actions = Buffer.alloc(SPAWN_ACTIONS);
  const attributes = Buffer.alloc(SPAWN_ATTRIBUTES);
  const signals = Buffer.alloc(SIGNAL_SET);
  c.spawnActionsInit(actions);
  try {
    // A source below the number of targets could be overwritten before it is copied; node's own are far above.
    fds.forEach((fd, target) => {
      if (fd === null) c.spawnOpen(actions, target, '/dev/null', O_RDWR, 0);
      else c.spawnDup2(actions, fd, target);
    });
    c.spawnChdir(actions, cwd);
    c.spawnAttributesInit(attributes);
    c.spawnSetMask(attributes, signals);
    c.sigfillset(signals);
    c.spawnSetDefault(attributes, signals);
    c.spawnSetFlags(attributes, POSIX_SPAWN.SETSIGDEF | POSIX_SPAWN.SETSIGMASK | POSIX_SPAWN.SETSID);
    const pid = [0];
    spawned(c.posix_spawnp(pid, path, actions, attributes, [...argv, null], [...env, null]), path);
    return pid[0] ?? 0;
  } finally {
    c.spawnActionsDestroy(actions);
  }
};

/** Exit code as a shell would have it: 128 and the signal. */
const exitCode = (status: number): number => {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
};

const WNOHANG = 1;
/** Of a child that has ended; undefined: it has not. */
export const reap = (pid: number): number | undefined => {
  const status = Buffer.alloc(4);
  return checked('waitpid', c.waitpid(pid, status, WNOHANG)) === 0
    ? undefined
    : exitCode(status.readInt32LE());
};
/** Waits for it: of one that was killed. */
export const waitpid = (pid: number): void => void checked('waitpid', c.waitpid(pid, Buffer.alloc(4), 0));

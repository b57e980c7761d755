/**
 * What one plan needs of the namespaces it works in: a socket and a descriptor each, and the interface indexes looked up
 * so far. Lives for one `apply`; the host's socket outlives it.
 */
import { EINVAL, ENODEV, ENOENT } from '../errno.js';
import { KernelError } from '../errors.js';
import type { Netns } from '../plan/objects.js';
import * as ffi from './ffi.js';
import { hostSocket, NETLINK, NetlinkSocket } from './netlink.js';
import { type DumpedLink, getLink, linkIndex, parseLink } from './rtnetlink/link.js';

/** What is asked about links, of the kernel or of what it told already. */
export interface Look {
  /** undefined: not there */
  link(ns: Netns, name: string): DumpedLink | undefined;
  /** 0: no such link */
  index(ns: Netns, name: string): number;
}

export class Session implements Look {
  readonly #sockets = new Map<Netns, NetlinkSocket>();
  readonly #descriptors = new Map<Netns, number>();
  readonly #indexes = new Map<string, number>();

  /** The rtnetlink socket of a namespace. KernelError ENOENT where it is none (any more). */
  socket(ns: Netns): NetlinkSocket {
    if (ns === 'host') return hostSocket(NETLINK.ROUTE);
    const known = this.#sockets.get(ns);
    if (known) return known;
    const opened = existing(ns, () => NetlinkSocket.open(NETLINK.ROUTE, ns));
    this.#sockets.set(ns, opened);
    return opened;
  }

  /** An open descriptor of the namespace, for IFLA_NET_NS_FD. */
  descriptor(ns: Netns): number {
    const known = this.#descriptors.get(ns);
    if (known !== undefined) return known;
    const path = ns === 'host' ? '/proc/thread-self/ns/net' : ns;
    const opened = existing(ns, () => ffi.open(path, ffi.O.RDONLY));
    this.#descriptors.set(ns, opened);
    return opened;
  }

  /** The link as it is now; undefined: not there. */
  link(ns: Netns, name: string): DumpedLink | undefined {
    const found = findLink(this.socket(ns), name);
    if (found) this.#indexes.set(`${ns} ${name}`, found.index);
    return found;
  }

  /** 0: no such link */
  index(ns: Netns, name: string): number {
    const key = `${ns} ${name}`;
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    const index = this.#indexNow(ns, name);
    if (index !== 0) this.#indexes.set(key, index);
    return index;
  }

  /** Of the host's links by the call that does not wait for the rtnl lock. */
  #indexNow(ns: Netns, name: string): number {
    if (ns === 'host') return ffi.ifNameToIndex(name);
    const reply = linkReply(this.socket(ns), name);
    return reply ? linkIndex(reply) : 0;
  }

  forget(ns: Netns, name: string): void {
    this.#indexes.delete(`${ns} ${name}`);
  }

  /** Lets go of a namespace: an open socket would keep it alive. */
  leave(ns: Netns): void {
    this.#sockets.get(ns)?.close();
    this.#sockets.delete(ns);
    const fd = this.#descriptors.get(ns);
    if (fd !== undefined) ffi.close(fd);
    this.#descriptors.delete(ns);
    for (const key of this.#indexes.keys()) if (key.startsWith(`${ns} `)) this.#indexes.delete(key);
  }

  close(): void {
    for (const ns of new Set([...this.#sockets.keys(), ...this.#descriptors.keys()])) this.leave(ns);
  }
}

export const withSession = <T>(work: (session: Session) => T): T => {
  const session = new Session();
  try {
    return work(session);
  } finally {
    session.close();
  }
};

/** A path that is not there, and a file that is no namespace (any more), are the same to us. */
const existing = <T>(ns: Netns, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof ffi.SystemError)) throw cause;
    const errno = cause.errno === EINVAL ? ENOENT : cause.errno;
    throw new KernelError(errno, `netns enter ${ns}`, '', { cause });
  }
};

const linkReply = (socket: NetlinkSocket, name: string): Buffer | undefined => {
  const replies: Buffer[] = [];
  const [outcome] = socket.attempt([getLink(name)], `link get ${name}`, replies);
  const [reply] = replies;
  if (outcome?.errno === ENODEV) return undefined;
  if (outcome?.errno || !reply)
    throw new KernelError(outcome?.errno ?? 0, `link get ${name}`, outcome?.acknowledgement ?? '');
  return reply;
};

/** undefined where the namespace has no link of this name. */
export const findLink = (socket: NetlinkSocket, name: string): DumpedLink | undefined => {
  const reply = linkReply(socket, name);
  return reply && parseLink(reply);
};

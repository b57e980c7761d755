/**
 * Sockets that hear the kernel's notifications. Node waits for no netlink socket, so one of libuv's threads waits for all of them in
 * `poll`. Loss is counted by the kernel (`SO_MEMINFO`) instead of being refused (ENOBUFS).
 */
import { readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { attempt } from '../errors.js';
import { createPace } from '../pace.js';
import { type ByteTest, onlyWhere } from './byte-tests.js';
import * as ffi from './ffi.js';

/** `include/uapi/linux/netlink.h` */
const OPTION = { ADD_MEMBERSHIP: 1, NO_ENOBUFS: 5, LISTEN_ALL_NSID: 8 } as const;
/** Room for the notifications of a batch of tens of thousands of elements. */
const RECEIVE_BUFFER = 32 << 20;
/** Bytes of one datagram at most: the kernel's own are shorter. */
const LONGEST = 1 << 18;
/** Milliseconds. One change of ours is told in dozens of notifications: whoever makes it need not wake us for each. */
const NAP_MS = 20;

export interface Listening {
  readonly protocol: number;
  readonly groups: readonly number[];
  /** all that the kernel keeps from the socket does not wake us; absent: nothing */
  readonly only?: readonly ByteTest[];
  /** also of other namespaces that this one has numbers for */
  readonly everywhere?: boolean;
  /** A datagram of the kernel's own. What it throws counts as `lost`. */
  readonly hear: (datagram: Buffer) => void;
  /** Something was not heard: a datagram too long, or not understood. */
  readonly lost: () => void;
}

export interface EventSocket {
  /** messages that the kernel had no room for, so far */
  dropped(): number;
  /** Resolves when all that has come so far was heard. */
  hearAll(): Promise<void>;
  close(): void;
}

/** All sockets, and who hears by which descriptor. */
class Ears {
  readonly #listening = new Map<number, Listening>();
  /** Closed when the thread does not wait for them any more: a number may come back as another file's. */
  #leaving: number[] = [];
  /** An eventfd, to end the wait. */
  readonly #wake = ffi.eventfd();
  #state: 'idle' | 'waits' | 'roused' | 'hears' = 'idle';
  readonly #into = Buffer.alloc(LONGEST);
  readonly #from = Buffer.alloc(128);

  constructor() {
    // Node waits for its threads before it ends, and this one ends with its wait.
    process.once('exit', () => this.#rouse());
  }

  add(fd: number, listening: Listening): void {
    this.#listening.set(fd, listening);
    this.#rouse();
    if (this.#state === 'idle') void this.#hear();
  }

  remove(fd: number): void {
    if (!this.#listening.delete(fd)) return;
    this.#leaving.push(fd);
    this.#rouse();
    if (this.#state === 'hears') this.#letGo();
  }

  #rouse(): void {
    if (this.#state !== 'waits') return;
    this.#state = 'roused';
    writeSync(this.#wake, ONE);
  }

  #letGo(): void {
    for (const fd of this.#leaving) ffi.close(fd);
    this.#leaving = [];
  }

  async #hear(): Promise<void> {
    while (this.#listening.size > 0) {
      await this.#wait();
      this.#letGo();
      await pause(NAP_MS);
      for (const fd of this.#listening.keys()) await this.receive(fd);
    }
    this.#state = 'idle';
  }

  async #wait(): Promise<void> {
    this.#state = 'waits';
    await ffi.pollLater([this.#wake, ...this.#listening.keys()]).catch(() => {}); // no memory: then we look in vain
    if (this.#roused()) readSync(this.#wake, Buffer.alloc(8));
    this.#state = 'hears';
  }

  #roused(): boolean {
    return this.#state === 'roused';
  }

  /** All that has come, some in each turn of the loop. */
  async receive(fd: number): Promise<void> {
    const pace = createPace();
    for (let by = this.#listening.get(fd); by && this.#receiveOne(fd, by); by = this.#listening.get(fd))
      if (pace.due()) await pace.rest();
  }

  /** False where nothing is there. */
  #receiveOne(fd: number, { hear, lost }: Listening): boolean {
    const size = ffi.recvFrom(fd, this.#into, this.#from);
    if (size < 0) return false;
    // Only the kernel is believed, whose port is 0.
    if (this.#from.readUInt32LE(4) !== 0) return true;
    try {
      if (size > LONGEST) lost();
      else hear(Buffer.from(this.#into.subarray(0, size))); // whoever hears may keep it
    } catch {
      attempt(lost); // whatever one listener cannot do, the others are heard
    }
    return true;
  }
}

/** `struct sockaddr_nl` */
const ANY_PORT = Buffer.from([ffi.AF.NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]); // what is added to an eventfd
let ears: Ears | undefined;

/** Hears from when it returns on until it is closed, in the network namespace in which it was called. */
export const listen = (listening: Listening): EventSocket => {
  const fd = ffi.socket(ffi.AF.NETLINK, ffi.SOCK.RAW | ffi.SOCK.NONBLOCK, listening.protocol);
  try {
    prepare(fd, listening);
  } catch (error) {
    ffi.close(fd);
    throw error;
  }
  ears ??= new Ears();
  const all = ears;
  all.add(fd, listening);
  return { dropped: () => dropped(fd), hearAll: () => all.receive(fd), close: () => all.remove(fd) };
};

const prepare = (fd: number, { groups, only = [], everywhere }: Listening): void => {
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.RCVBUFFORCE, RECEIVE_BUFFER);
  ffi.setsockoptInt(fd, ffi.SOL.NETLINK, OPTION.NO_ENOBUFS, 1);
  if (everywhere) ffi.setsockoptInt(fd, ffi.SOL.NETLINK, OPTION.LISTEN_ALL_NSID, 1);
  if (only.length > 0) onlyWhere(fd, only);
  // Without a port of its own the kernel takes it for the one that caused what is told; a bind later would leave the groups.
  ffi.bind(fd, ANY_PORT);
  for (const group of groups) ffi.setsockoptInt(fd, ffi.SOL.NETLINK, OPTION.ADD_MEMBERSHIP, group);
};

/** The last word of `SO_MEMINFO` (`SK_MEMINFO_DROPS`). */
const dropped = (fd: number): number => {
  const words = Buffer.alloc(36);
  ffi.getsockopt(fd, ffi.SOL.SOCKET, ffi.SO.MEMINFO, words);
  return words.readUInt32LE(32);
};

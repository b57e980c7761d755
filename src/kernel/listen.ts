/**
 * Sockets that hear the kernel's notifications. Node waits for no netlink socket, so one thread waits for all of them in
 * `poll` and hands over what came, some at a time; it knows nothing of what they say. Loss is counted by the kernel (`SO_MEMINFO`)
 * instead of being refused (ENOBUFS).
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type ByteTest, onlyWhere } from './byte-tests.js';
import * as ffi from './ffi.js';

/** `include/uapi/linux/netlink.h` */
const OPTION = { ADD_MEMBERSHIP: 1, NO_ENOBUFS: 5, LISTEN_ALL_NSID: 8 } as const;
/** Room for the notifications of a batch of tens of thousands of elements. */
const RECEIVE_BUFFER = 32 << 20;

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
  close(): void;
}

/** What the thread is told: the descriptors to wait for from now on (null: none, it ends), and which word this is. */
interface Told {
  readonly word: number;
  readonly fds: readonly number[] | null;
}

/** A datagram that came in by the descriptor; null: one was lost. */
interface Heard {
  readonly fd: number;
  readonly datagram: Uint8Array | null;
}

/** What it says: what came in, in order, or up to which word it has heard us. */
type Said = { readonly heard: readonly Heard[] } | { readonly word: number };

/**
 * The thread's program; its text is all that reaches it, so it names nothing of this file. `koffi`: path of the package;
 * `wake`: an eventfd after which the list of descriptors is asked for anew; it ends where that is null. `unread`: how many
 * datagrams are under way to the other thread.
 */
function waitForDatagrams(): void {
  const { parentPort, receiveMessageOnPort, workerData } = require('node:worker_threads');
  const libc = require(workerData.koffi).load('libc.so.6');
  const poll = libc.func('int poll(void *fds, unsigned long count, int timeout)');
  const recvfrom = libc.func(
    'long recvfrom(int fd, void *into, size_t size, int flags, void *from, void *length)',
  );
  const read = libc.func('long read(int fd, void *into, size_t size)');
  const [POLLIN, DONTWAIT_AND_TRUNC] = [1, 0x40 | 0x20];
  // What the other thread has not read yet waits in the sockets, whose room is bounded.
  const MOST_UNREAD = 1024;
  // Milliseconds. One change of ours is told in dozens of notifications: whoever makes it need not wake us for each.
  const NAP = 4;
  const unread: Int32Array = workerData.unread;
  const never = new Int32Array(new SharedArrayBuffer(4));
  const into = Buffer.alloc(1 << 18);
  const from = Buffer.alloc(12);
  const length = Buffer.alloc(4);
  let heard: Heard[] = [];
  const tell = (): void => {
    if (heard.length === 0) return;
    Atomics.add(unread, 0, heard.length);
    parentPort.postMessage({ heard });
    heard = [];
    for (let now = Atomics.load(unread, 0); now >= MOST_UNREAD; now = Atomics.load(unread, 0))
      Atomics.wait(unread, 0, now);
  };
  const receive = (fd: number): void => {
    for (;;) {
      length.writeUInt32LE(from.length);
      const size = Number(recvfrom(fd, into, into.length, DONTWAIT_AND_TRUNC, from, length));
      if (size < 0) return;
      // Only the kernel is believed, whose port is 0.
      if (from.readUInt32LE(4) !== 0) continue;
      heard.push({ fd, datagram: size > into.length ? null : Uint8Array.from(into.subarray(0, size)) });
      if (heard.length === 64) tell();
    }
  };
  let fds: readonly number[] | null = [];
  while (fds !== null) {
    const polled = Buffer.alloc(8 * (fds.length + 1));
    [workerData.wake, ...fds].forEach((fd: number, i: number) => {
      polled.writeInt32LE(fd, 8 * i);
      polled.writeInt16LE(POLLIN, 8 * i + 4);
    });
    poll(polled, fds.length + 1, -1);
    Atomics.wait(never, 0, 0, NAP);
    poll(polled, fds.length + 1, 0);
    for (const [i, fd] of fds.entries()) if (polled.readInt16LE(8 * (i + 1) + 6) !== 0) receive(fd);
    tell();
    if (polled.readInt16LE(6) !== 0) read(workerData.wake, into, 8);
    for (let next = receiveMessageOnPort(parentPort); next; next = receiveMessageOnPort(parentPort)) {
      const { word, fds: told }: Told = next.message;
      fds = told;
      parentPort.postMessage({ word });
    }
  }
}

/** What the thread needs beside what it is given at its start. MiB. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 } as const;
const RESTART_MS = 1000;

interface Thread {
  readonly worker: Worker;
  /** eventfd */
  readonly wake: number;
}

/** The thread, from the first socket on to the last, and who hears by which descriptor. */
class Ears {
  readonly #listening = new Map<number, Listening>();
  /** with the word by which the thread knows that they leave; closed then: a number may come back as another file's */
  readonly #leaving = new Map<number, number>();
  #thread: Thread | undefined;
  #word = 0;

  constructor() {
    // Node ends its threads before it ends, and this one hears nothing while it waits.
    process.once('exit', () => this.#tell(null));
  }

  add(fd: number, listening: Listening): void {
    this.#listening.set(fd, listening);
    this.#thread ??= this.#start();
    this.#tell([...this.#listening.keys()]);
  }

  remove(fd: number): void {
    if (!this.#listening.delete(fd)) return;
    this.#leaving.set(fd, this.#word + 1);
    this.#tell(this.#listening.size > 0 ? [...this.#listening.keys()] : null);
    if (this.#listening.size === 0) this.#thread = undefined;
  }

  #tell(fds: readonly number[] | null): void {
    if (!this.#thread) return;
    this.#word += 1;
    this.#thread.worker.postMessage({ word: this.#word, fds } satisfies Told);
    writeSync(this.#thread.wake, ONE);
  }

  #start(): Thread {
    const wake = ffi.eventfd();
    const unread = new Int32Array(new SharedArrayBuffer(4));
    // A loader of TypeScript may name functions by a helper of its own.
    const worker = new Worker(`const __name = (f) => f; (${waitForDatagrams.toString()})()`, {
      eval: true,
      workerData: { koffi: ffi.KOFFI, wake, unread },
      resourceLimits: LIMITS,
    });
    worker.unref();
    let reason = 'no error was told';
    worker.on('error', (error) => {
      reason = String(error);
    });
    worker.once('exit', () => this.#ended(thread, reason));
    worker.on('message', (said: Said) => {
      if ('word' in said) return this.#closeUpTo(said.word);
      Atomics.sub(unread, 0, said.heard.length);
      Atomics.notify(unread, 0);
      for (const one of said.heard) this.#hear(one);
    });
    const thread = { worker, wake };
    return thread;
  }

  #hear({ fd, datagram }: Heard): void {
    const listening = this.#listening.get(fd);
    if (!listening) return;
    try {
      if (datagram === null) listening.lost();
      else listening.hear(Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength));
    } catch {
      listening.lost();
    }
  }

  #closeUpTo(heard: number): void {
    for (const [fd, word] of this.#leaving) {
      if (word > heard) continue;
      this.#leaving.delete(fd);
      ffi.close(fd);
    }
  }

  /** By itself (no memory) where it is still the one: what is said until there is another one stays in the sockets. */
  #ended(thread: Thread, reason: string): void {
    ffi.close(thread.wake);
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    tell(
      `the thread that hears what changes in the kernel ended (${reason}): a new one compares all in a second`,
    );
    this.#closeUpTo(this.#word);
    setTimeout(() => {
      if (this.#thread || this.#listening.size === 0) return;
      this.#thread = this.#start();
      this.#tell([...this.#listening.keys()]);
      for (const { lost } of this.#listening.values()) lost();
    }, RESTART_MS).unref();
  }
}

/** `struct sockaddr_nl` */
const ANY_PORT = Buffer.from([ffi.AF.NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]); // what is added to an eventfd
let ears: Ears | undefined;
let tell: (message: string) => void = () => {};

/** `warn` is told from now on when the thread ends by itself. */
export const tellDeafness = (warn: (message: string) => void): void => {
  tell = warn;
};

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
  ears.add(fd, listening);
  return { dropped: () => dropped(fd), close: () => ears?.remove(fd) };
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

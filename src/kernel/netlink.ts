/**
 * A blocking netlink request socket, for every protocol (rtnetlink, nfnetlink, ctnetlink, generic netlink). The kernel works on a request
 * inside `send`, so all its answers wait in the receive queue when `send` returns: a socket never sleeps, and an answer
 * that is missing then will not come. A socket stays in the namespace it was opened in.
 */
import { EINTR, EIO, EMSGSIZE, ENOBUFS, EPROTO, failedWith } from '../errno.js';
import { KernelError } from '../errors.js';
import * as ffi from './ffi.js';
import {
  attrText,
  HEADER,
  messageFlags,
  messageType,
  NLM_F,
  padded,
  parseAttributes,
  splitMessages,
} from './netlink-messages.js';
import { inNamespace } from './netns.js';

export * from './netlink-messages.js';

/** Protocols of `include/uapi/linux/netlink.h`. */
export const NETLINK = { ROUTE: 0, NETFILTER: 12, GENERIC: 16 } as const;
const NLMSG = { ERROR: 2, DONE: 3, OVERRUN: 4 } as const;
const ACK_FLAG = { CAPPED: 0x100, TLVS: 0x200 } as const;
const NLMSGERR_ATTR_MSG = 1;
const OPTION = { CAP_ACK: 10, EXT_ACK: 11, GET_STRICT_CHK: 12 } as const;

/** Upper bounds, not allocations: 60,000 nftables elements, or as many acknowledgements, fit one request. */
const SOCKET_BUFFER = 32 << 20;
/** The largest answer accepted; the kernel's dumps come in pieces of at most 32 KiB. */
const RECEIVE_BUFFER = 1 << 18;
const DUMP_ATTEMPTS = 10;
const DRAIN_LIMIT = 1_000_000;

/** What became of one message of a request: errno 0 is success. */
export interface Outcome {
  readonly errno: number;
  readonly acknowledgement: string;
}
const UNANSWERED: Outcome = { errno: 0, acknowledgement: '' };

const extendedText = (attributes: Buffer): string => {
  const text = parseAttributes(attributes).get(NLMSGERR_ATTR_MSG);
  return text ? attrText(text) : '';
};

/** Reads NLMSG_ERROR: negative errno, the request's header (and body unless capped), then attributes. */
const outcomeOf = (m: Buffer): Outcome => {
  const errno = -m.readInt32LE(HEADER);
  const flags = messageFlags(m);
  if (errno === 0 || (flags & ACK_FLAG.TLVS) === 0)
    return errno === 0 ? UNANSWERED : { errno, acknowledgement: '' };
  const quoted = flags & ACK_FLAG.CAPPED ? HEADER : padded(m.readUInt32LE(HEADER + 4));
  return { errno, acknowledgement: extendedText(m.subarray(HEADER + 4 + quoted)) };
};

/** Names the operation for errors; a function is asked with the index of the refused message. */
export type Operation = string | ((index: number) => string);
const nameOf = (operation: Operation, index: number): string =>
  typeof operation === 'string' ? operation : operation(index);

const receiveBuffer = Buffer.alloc(RECEIVE_BUFFER);

export class NetlinkSocket {
  private sequence = 1;
  private constructor(private readonly fd: number) {}

  /** Opens a socket of `protocol` in namespace `ns` (`host`: where the process is). */
  static open(protocol: number, ns = 'host'): NetlinkSocket {
    return NetlinkSocket.#setUp(
      inNamespace(ns, () => ffi.socket(ffi.AF.NETLINK, ffi.SOCK.RAW, protocol)),
      protocol,
    );
  }

  /** Goes on with a socket of a process that is gone: what the kernel answered to that one is thrown away. */
  static take(fd: number, protocol: number): NetlinkSocket {
    const taken = NetlinkSocket.#setUp(fd, protocol);
    taken.drain();
    return taken;
  }

  static #setUp(fd: number, protocol: number): NetlinkSocket {
    const options: number[] = [OPTION.CAP_ACK, OPTION.EXT_ACK];
    if (protocol === NETLINK.ROUTE) options.push(OPTION.GET_STRICT_CHK);
    for (const option of options) ffi.setsockoptInt(fd, ffi.SOL.NETLINK, option, 1);
    ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.SNDBUFFORCE, SOCKET_BUFFER);
    ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.RCVBUFFORCE, SOCKET_BUFFER);
    return new NetlinkSocket(fd);
  }

  /** The kernel's name of this socket; notifications of what it caused carry it as their port (`messagePort`). */
  get port(): number {
    return ffi.getsockname(this.fd).readUInt32LE(4);
  }

  /** For handing the socket to another process. */
  get descriptor(): number {
    return this.fd;
  }

  /**
   * Sends the messages in one datagram; answers what became of each. rtnetlink goes on behind a refused message. Answers
   * that are no acknowledgements (echoes, single gets) are appended to `replies`. A message with `NLM_F.ACK` that nobody
   * answered, when none was refused, is a KernelError.
   */
  attempt(messages: readonly Buffer[], operation: Operation, replies: Buffer[] = []): readonly Outcome[] {
    return this.outcomes(messages, this.send(messages, operation), operation, replies);
  }

  /**
   * `attempt` whose `send` runs off the main thread, for requests that wait in the kernel. The socket must not be used
   * for anything else before the promise is settled.
   */
  async attemptLater(messages: readonly Buffer[], operation: Operation): Promise<readonly Outcome[]> {
    const first = this.number(messages);
    if ((await ffi.sendLater(this.fd, Buffer.concat(messages))) < 0)
      throw new KernelError(EIO, nameOf(operation, 0), 'not sent');
    return this.outcomes(messages, first, operation, []);
  }

  /** Reads what the kernel answered to the messages numbered from `first`. */
  private outcomes(
    messages: readonly Buffer[],
    first: number,
    operation: Operation,
    replies: Buffer[],
  ): readonly Outcome[] {
    const outcomes = new Array<Outcome | undefined>(messages.length);
    let awaited =
      messages.reduce((sum, m) => sum + (messageFlags(m) & NLM_F.ACK ? 1 : 0), 0) || messages.length;
    // What follows a refusal (of an nftables batch) is read as well; all acknowledged, nothing follows.
    while (awaited > 0) {
      const datagram = this.receive(operation);
      if (!datagram) break;
      for (const one of splitMessages(datagram)) {
        const index = (one.readUInt32LE(8) - first) >>> 0;
        if (index >= messages.length) continue;
        if (messageType(one) === NLMSG.ERROR) {
          const known = outcomes[index];
          const outcome = worse(known, outcomeOf(one));
          outcomes[index] = outcome;
          if (!known && !outcome.errno) awaited -= 1;
        } else replies.push(Buffer.from(one));
      }
    }
    const refused = outcomes.some((o) => o !== undefined && o.errno !== 0);
    return messages.map((m, index) => {
      const outcome = outcomes[index];
      if (!outcome && !refused && messageFlags(m) & NLM_F.ACK)
        throw new KernelError(EPROTO, nameOf(operation, index), 'no acknowledgement');
      return outcome ?? UNANSWERED;
    });
  }

  /** Like `attempt`, but throws the first refusal as KernelError; answers the replies. */
  request(messages: readonly Buffer[], operation: Operation): readonly Buffer[] {
    const replies: Buffer[] = [];
    this.attempt(messages, operation, replies).forEach(({ errno, acknowledgement }, index) => {
      if (errno) throw new KernelError(errno, nameOf(operation, index), acknowledgement);
    });
    return replies;
  }

  /** All messages (header included) that answer a dump request; begins again where the kernel's table changed meanwhile. */
  dump(request: Buffer, operation: string): readonly Buffer[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const found = this.dumpOnce(request, operation);
      if (found) return found;
    }
    throw new KernelError(EINTR, operation, 'the table kept changing during the dump');
  }

  close(): void {
    ffi.close(this.fd);
  }

  /** Behind it nothing is waiting: a dump under way is read to its end. No more comes than the buffer held, and that dump. */
  private drain(): void {
    for (let left = DRAIN_LIMIT; left > 0; left -= 1)
      try {
        if (ffi.recv(this.fd, receiveBuffer, ffi.MSG.DONTWAIT) < 0) return;
      } catch (error) {
        // That answers were lost is told once, and no answer is wanted.
        if (!failedWith(error, ENOBUFS)) throw error;
      }
    throw new KernelError(EPROTO, 'netlink take over', 'answers without end');
  }

  /** undefined: interrupted by a change. */
  private dumpOnce(request: Buffer, operation: string): readonly Buffer[] | undefined {
    request.writeUInt16LE(messageFlags(request) | NLM_F.DUMP, 6);
    const sequence = this.send([request], operation);
    const found: Buffer[] = [];
    let interrupted = false;
    for (;;) {
      const datagram = this.receive(operation);
      if (!datagram) throw new KernelError(EPROTO, operation, 'the dump has no end');
      for (const m of splitMessages(Buffer.from(datagram))) {
        if (m.readUInt32LE(8) !== sequence) continue;
        interrupted ||= (messageFlags(m) & NLM_F.DUMP_INTR) !== 0;
        const type = messageType(m);
        if (type === NLMSG.OVERRUN) throw new KernelError(ENOBUFS, operation, 'dump overrun');
        if (type !== NLMSG.ERROR && type !== NLMSG.DONE) {
          found.push(m);
          continue;
        }
        const outcome = type === NLMSG.ERROR ? outcomeOf(m) : doneOutcome(m);
        if (outcome.errno === EINTR) return undefined;
        if (outcome.errno) throw new KernelError(outcome.errno, operation, outcome.acknowledgement);
        return interrupted ? undefined : found;
      }
    }
  }

  private number(messages: readonly Buffer[]): number {
    const first = this.sequence;
    this.sequence = (this.sequence + messages.length) >>> 0;
    messages.forEach((m, i) => {
      m.writeUInt32LE((first + i) >>> 0, 8);
    });
    return first;
  }

  /** Numbers the messages and sends them; answers the number of the first. */
  private send(messages: readonly Buffer[], operation: Operation): number {
    const first = this.number(messages);
    const [only] = messages;
    try {
      ffi.send(this.fd, messages.length === 1 && only ? only : Buffer.concat(messages));
    } catch (cause) {
      if (!(cause instanceof ffi.SystemError)) throw cause;
      throw new KernelError(cause.errno, nameOf(operation, 0), '', { cause });
    }
    return first;
  }

  /** The next datagram, valid until the next call; undefined: none is waiting. */
  private receive(operation: Operation): Buffer | undefined {
    let n: number;
    try {
      n = ffi.recv(this.fd, receiveBuffer, ffi.MSG.DONTWAIT | ffi.MSG.TRUNC);
    } catch (cause) {
      if (!(cause instanceof ffi.SystemError)) throw cause;
      throw new KernelError(cause.errno, nameOf(operation, 0), 'answers lost', { cause });
    }
    if (n > receiveBuffer.length)
      throw new KernelError(EMSGSIZE, nameOf(operation, 0), `answer of ${n} bytes`);
    return n < 0 ? undefined : receiveBuffer.subarray(0, n);
  }
}

/** A message may be answered twice (an nftables batch: by its own check and by the commit): the refusal counts. */
const worse = (known: Outcome | undefined, next: Outcome): Outcome => (known?.errno ? known : next);

/** NLMSG_DONE carries the dump's errno, and attributes behind it. */
const doneOutcome = (m: Buffer): Outcome => {
  const errno = m.length >= HEADER + 4 ? -m.readInt32LE(HEADER) : 0;
  const told = errno !== 0 && (messageFlags(m) & ACK_FLAG.TLVS) !== 0;
  return { errno, acknowledgement: told ? extendedText(m.subarray(HEADER + 4)) : '' };
};

const hostSockets = new Map<number, NetlinkSocket>();

/** The host's socket of a protocol, opened at first use and kept. */
export const hostSocket = (protocol: number): NetlinkSocket => {
  const kept = hostSockets.get(protocol) ?? NetlinkSocket.open(protocol);
  hostSockets.set(protocol, kept);
  return kept;
};

/** Runs `work` with a socket of `protocol` in `ns`; the host's socket is kept open, others are closed behind it. */
export const withSocket = <T>(protocol: number, ns: string, work: (socket: NetlinkSocket) => T): T => {
  if (ns === 'host') return work(hostSocket(protocol));
  const socket = NetlinkSocket.open(protocol, ns);
  try {
    return work(socket);
  } finally {
    socket.close();
  }
};

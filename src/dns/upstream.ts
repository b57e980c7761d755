/**
 * One question to one upstream server, over UDP or TCP. The socket is made and connected inside the namespace, so the
 * kernel drops what any other address sends; port and id are fresh and random for each question, and an answer must
 * repeat the question.
 */

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6, Socket } from 'node:net';
import { EINPROGRESS, failedWith } from '../errno.js';
import * as ffi from '../kernel/ffi.js';
import { inNamespace } from '../kernel/netns.js';
import { sockaddr } from '../kernel/sockaddr.js';
import { isReply, setU16 } from './message.js';

/** Milliseconds; dockerd's `extIOTimeout`. */
const UPSTREAM_TIMEOUT = 4000;
const MAX_MESSAGE = 65535;

export interface Question {
  /** the whole message as the client sent it; never written to */
  readonly message: Buffer;
  readonly questionEnd: number;
}

export interface Upstream {
  /** path of a namespace, or `host` */
  readonly ns: string;
  /** bare address, IPv6 with its zone where it needs one */
  readonly address: string;
  readonly port: number;
}

/** Called exactly once: the answer under the id of the question, or undefined (refused, unreachable, too late). */
export type Done = (answer: Buffer | undefined) => void;
/** Ends the exchange without calling back. */
export type Cancel = () => void;

const connected = (upstream: Upstream, type: number): number =>
  inNamespace(upstream.ns, () => {
    const v6 = isIPv6(upstream.address);
    const zone = upstream.address.split('%')[1] ?? '';
    const to = sockaddr(upstream.address, upstream.port, zone === '' ? 0 : ffi.ifNameToIndex(zone));
    const fd = ffi.socket(v6 ? ffi.AF.INET6 : ffi.AF.INET, type | ffi.SOCK.NONBLOCK);
    try {
      ffi.connect(fd, to);
    } catch (error) {
      if (!failedWith(error, EINPROGRESS)) {
        ffi.close(fd);
        throw error;
      }
    }
    return fd;
  });

/** The question's bytes under another id. */
const underId = (question: Question, id: number): Buffer => {
  const copy = Buffer.from(question.message);
  setU16(copy, 0, id);
  return copy;
};

/** What both ways share: one result, one timer, and the id of the question put back. */
const exchange = (
  question: Question,
  id: number,
  close: () => void,
  done: Done,
): { offer: (message: Buffer) => void; finish: (answer?: Buffer) => void; cancel: Cancel } => {
  let over = false;
  const end = (): boolean => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    close();
    return true;
  };
  const finish = (answer?: Buffer): void => {
    if (end()) done(answer);
  };
  const timer = setTimeout(finish, UPSTREAM_TIMEOUT);
  const offer = (message: Buffer): void => {
    if (!isReply(message, question.message, question.questionEnd, id)) return;
    message.set(question.message.subarray(0, 2));
    finish(message);
  };
  return { offer, finish, cancel: () => void end() };
};

/** Throws SystemError where no socket can be had or the network is unreachable. */
export const askOverUdp = (question: Question, upstream: Upstream, done: Done): Cancel => {
  const fd = connected(upstream, ffi.SOCK.DGRAM);
  const socket = createSocket(isIPv6(upstream.address) ? 'udp6' : 'udp4');
  const id = randomInt(65536);
  const { offer, finish, cancel } = exchange(question, id, () => socket.close(), done);
  socket.on('error', () => finish());
  socket.on('message', offer);
  socket.bind({ fd, exclusive: true });
  try {
    ffi.send(fd, underId(question, id), ffi.MSG.DONTWAIT);
  } catch (error) {
    cancel();
    throw error;
  }
  return cancel;
};

/** Frames of RFC 1035, 4.2.2: two bytes of length, then the message. */
export const frame = (message: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(message.length + 2);
  out.writeUInt16BE(message.length, 0);
  out.set(message, 2);
  return out;
};

/** Throws SystemError where no socket can be had or the network is unreachable. */
export const askOverTcp = (question: Question, upstream: Upstream, done: Done): Cancel => {
  const fd = connected(upstream, ffi.SOCK.STREAM);
  const socket = new Socket({ fd, readable: true, writable: true });
  const id = randomInt(65536);
  const { offer, finish, cancel } = exchange(question, id, () => socket.destroy(), done);
  let got: Buffer = Buffer.alloc(0);
  socket.on('error', () => finish());
  socket.on('close', () => finish());
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const length = got.readUInt16BE(0);
      offer(got.subarray(2, 2 + length));
      got = got.subarray(2 + length);
    }
    if (got.length > MAX_MESSAGE + 2) finish();
  });
  socket.write(frame(underId(question, id)));
  return cancel;
};

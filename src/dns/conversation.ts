/**
 * One TCP connection to the resolver: framed questions in, answers out as they come. It answers when it is given its
 * part of a turn, and takes no more in while something waits: for its turn, for others' answers, for a client that does
 * not read.
 */
import type { Socket } from 'node:net';
import type { Worker } from './turns.js';
import { frame } from './upstream.js';

/** A question under way holds memory and an upstream socket: the connection is read no further beyond this many. */
const PIPELINED = 32;
/** The longest question taken, bytes. */
const MAX_QUESTION = 4096;
/** Units of work: a question, with every so many bytes of its answer, that we can answer ourselves … */
const ANSWER_BYTES = 256;
/** … and one that others must be asked: a socket and two system calls in another namespace. */
const FORWARDED = 16;

/** Calls `reply` once per question, at once or later; undefined: no answer is due, the connection ends. */
export type HandleTcp = (message: Buffer, reply: (answer: Buffer | undefined) => void) => void;

export interface Conversation extends Worker {
  /** questions whose answers others owe us */
  readonly underWay: number;
}

/** `wake`: the conversation has something to do. `heard`: a whole question came, or was answered. */
export const converse = (
  socket: Socket,
  handle: HandleTcp,
  wake: (conversation: Conversation) => void,
  heard: () => void,
): Conversation => {
  let received: Buffer = Buffer.alloc(0);
  let underWay = 0;
  let ended = false;

  const length = (): number => (received.length < 2 ? 0 : received.readUInt16BE(0));
  const whole = (): boolean => received.length >= 2 && received.length >= 2 + length();

  const settle = (): void => {
    if (socket.destroyed) return;
    if (length() > MAX_QUESTION) return void socket.destroy();
    if (whole()) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (conversation.waits()) wake(conversation);
    else if (ended && underWay === 0 && !whole()) socket.end();
  };

  /** Answers what it cost. */
  const next = (): number => {
    const message = received.subarray(2, 2 + length());
    received = received.subarray(2 + length());
    let cost = FORWARDED;
    let atOnce = true;
    underWay += 1;
    heard();
    handle(message, (answer) => {
      underWay -= 1;
      if (atOnce) cost = 1 + Math.floor((answer?.length ?? 0) / ANSWER_BYTES);
      if (socket.destroyed) return;
      if (answer === undefined) return void socket.destroy();
      socket.write(frame(answer));
      heard();
      if (!atOnce) settle();
    });
    atOnce = false;
    return cost;
  };

  const conversation: Conversation = {
    waits: () =>
      !socket.destroyed &&
      underWay < PIPELINED &&
      !socket.writableNeedDrain &&
      length() <= MAX_QUESTION &&
      whole(),
    work(units) {
      let spent = 0;
      // Answers of one part leave in one system call.
      socket.cork();
      while (spent < units && conversation.waits()) spent += next();
      socket.uncork();
      settle();
      return spent;
    },
    get underWay() {
      return underWay;
    },
  };

  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    settle();
  });
  socket.on('drain', settle);
  socket.on('end', () => {
    ended = true;
    settle();
  });
  return conversation;
};

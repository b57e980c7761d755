/** A node's connection to a manager: dialled, encrypted, with questions that are answered or given up. */
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls';
import { unavailable } from '../../errors.js';
import { splitPlace } from '../life/addresses.js';
import { refusal } from '../rpc.js';
import { type Frames, frames } from './frames.js';
import {
  ALPN,
  type Answer,
  type FromManager,
  type FromNode,
  type FromStranger,
  fromManager,
  MANAGER_NAME,
  MOST_BYTES,
} from './protocol.js';

/** milliseconds: until TLS is complete; until a question is answered (a member is added to etcd within it) */
const DIAL_MS = 5_000;
const ANSWER_MS = 60_000;
const CLOSE_MS = 1_000;

/** PEM texts; without them nobody is trusted, and nothing may be said that matters. */
export interface Credentials {
  readonly authorities: string;
  readonly certificate?: string;
  readonly key?: string;
}

type Asking = Extract<FromNode | FromStranger, { readonly ask: number }>;
type WithoutNumber<T> = T extends unknown ? Omit<T, 'ask'> : never;

export interface Connection {
  /** of this end, as the manager sees it */
  readonly localAddress: string;
  say(message: FromNode): void;
  /** What is no message. Resolves when the manager can take more, or the connection has ended. */
  flow(bytes: Uint8Array): Promise<void>;
  /** Throws unavailable where the connection ends, no answer comes, or the manager refuses. */
  ask<Type extends FromManager['type']>(message: WithoutNumber<Asking>, type: Type): Promise<Answer<Type>>;
  close(): void;
}

/** Throws unavailable. */
const dial = (address: string, credentials: Credentials | undefined): Promise<TLSSocket> => {
  const place = splitPlace(address);
  if (!place) throw unavailable(`${address} is no address of a manager`);
  const options: ConnectionOptions = {
    host: place.host,
    port: Number(place.port),
    servername: MANAGER_NAME,
    ALPNProtocols: [ALPN],
    minVersion: 'TLSv1.3',
    ...(credentials === undefined
      ? { rejectUnauthorized: false }
      : {
          ca: credentials.authorities,
          ...(credentials.certificate && credentials.key
            ? { cert: credentials.certificate, key: credentials.key }
            : {}),
        }),
  };
  return new Promise((resolve, reject) => {
    const socket = dialTls(options);
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(unavailable(`${address} does not answer as a manager: ${reason}`, cause));
    };
    const timer = setTimeout(() => fail(`no connection within ${DIAL_MS / 1000} seconds`), DIAL_MS);
    const failed = (error: Error): void => fail(error.message, error);
    const ended = (): void => fail('it closed the connection');
    socket.once('error', failed).once('close', ended);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', failed).off('close', ended);
      // Until somebody takes it in this same turn of the loop or the next, an error must find a listener.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
};

interface Question {
  readonly resolve: (answer: FromManager) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** `told`: what comes unasked; `closed`: once, at the end. */
export const connect = async (
  address: string,
  credentials: Credentials | undefined,
  on: {
    readonly told: (message: FromManager) => void;
    readonly closed: (reason: string) => void;
  } = { told: () => {}, closed: () => {} },
): Promise<Connection> => {
  const socket = await dial(address, credentials);
  const questions = new Map<number, Question>();
  let next = 1;
  const settle = (ask: number): Question | undefined => {
    const question = questions.get(ask);
    questions.delete(ask);
    clearTimeout(question?.timer);
    return question;
  };
  const take = (message: FromManager): void => {
    if (!('ask' in message) || message.ask === undefined) on.told(message);
    else if (message.type === 'refused') settle(message.ask)?.reject(refusal(message.reason));
    else settle(message.ask)?.resolve(message);
  };
  const channel: Frames = frames(socket, {
    limit: () => (credentials?.certificate ? MOST_BYTES.manager : MOST_BYTES.stranger),
    message: (message) => take(fromManager.parse(message)),
    closed: (reason) => {
      const said = reason === '' ? 'the connection has ended' : reason;
      for (const ask of [...questions.keys()]) settle(ask)?.reject(unavailable(`${address}: ${said}`));
      on.closed(said);
    },
  });
  return {
    localAddress: socket.localAddress ?? '',
    say: (message) => channel.send(message),
    flow: channel.flow,
    ask: (message, type) =>
      new Promise((resolve, reject) => {
        const ask = next++;
        const timer = setTimeout(
          () =>
            settle(ask)?.reject(unavailable(`${address} did not answer within ${ANSWER_MS / 1000} seconds`)),
          ANSWER_MS,
        );
        const answered = (answer: FromManager): void => {
          if (isOf(answer, type)) resolve(answer);
          else reject(unavailable(`${address} answered ${answer.type} instead of ${type}`));
        };
        questions.set(ask, { resolve: answered, reject, timer });
        channel.send({ ...message, ask });
      }),
    close() {
      channel.end();
      // A peer that is cut off never says that it has ended too.
      setTimeout(() => channel.destroy(), CLOSE_MS).unref();
    },
  };
};

const isOf = <Type extends FromManager['type']>(message: FromManager, type: Type): message is Answer<Type> =>
  message.type === type;

/** One question on a connection of its own. */
export const askOnce = async <Type extends FromManager['type']>(
  address: string,
  credentials: Credentials | undefined,
  message: WithoutNumber<Asking>,
  type: Type,
): Promise<Answer<Type>> => {
  const connection = await connect(address, credentials);
  try {
    return await connection.ask(message, type);
  } finally {
    connection.close();
  }
};

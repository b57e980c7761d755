/**
 * A node's session: one connection to a manager for as long as the node is in the cluster, made again with another manager when it
 * breaks. The node says hello, beats, and is told what changes.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import { type Connection, type Credentials, connect } from './connect.js';
import { type Answer, type FromManager, type FromNode, HEARTBEAT_MS, MISSED_BEATS } from './protocol.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3_000;

type Hello = Extract<FromNode, { readonly type: 'hello' }>;

export interface SessionSettings {
  /** `host:port` of managers, the one to be tried first in front; asked before each try */
  readonly managers: () => readonly string[];
  readonly credentials: () => Credentials;
  readonly hello: () => Hello;
  /** Each of its sessions' beginnings. Must not throw. */
  readonly welcome: (message: Answer<'welcome'>) => void;
  /** Must not throw. */
  readonly told: (message: FromManager) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface NodeSession {
  /** while a session stands */
  current(): Connection | undefined;
  /** Ends the session that stands; another one begins. */
  again(): void;
}

interface Standing {
  readonly connection: Connection;
  readonly over: Promise<string>;
}

/** Resolves when the manager has welcomed us. */
const begin = async (address: string, settings: SessionSettings): Promise<Standing> => {
  let heard = performance.now();
  let beat: NodeJS.Timeout | undefined;
  let welcomed = (): void => {};
  let refused = (_: Error): void => {};
  const welcome = new Promise<void>((resolve, reject) => {
    welcomed = resolve;
    refused = reject;
  });
  let end = (_: string): void => {};
  const over = new Promise<string>((resolve) => {
    end = resolve;
  });
  const connection = await connect(address, settings.credentials(), {
    told: (message) => {
      heard = performance.now();
      if (message.type === 'welcome') {
        clearInterval(beat);
        beat = setInterval(() => {
          if (performance.now() - heard > MISSED_BEATS * message.heartbeatMs + HEARTBEAT_MS)
            connection.close();
          else connection.say({ type: 'beat' });
        }, message.heartbeatMs);
        settings.welcome(message);
        welcomed();
      } else settings.told(message);
    },
    closed: (reason) => {
      clearInterval(beat);
      refused(new Error(reason));
      end(reason);
    },
  });
  const late = setTimeout(() => connection.close(), HEARTBEAT_MS * MISSED_BEATS);
  connection.say(settings.hello());
  try {
    await welcome;
  } finally {
    clearTimeout(late);
  }
  return { connection, over };
};

export const startSession = (settings: SessionSettings): NodeSession => {
  let standing: Standing | undefined;
  const { signal, log } = settings;
  signal.addEventListener('abort', () => standing?.connection.close(), { once: true });

  const run = async (): Promise<void> => {
    let wait = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      for (const address of settings.managers()) {
        if (signal.aborted) return;
        try {
          standing = await begin(address, settings);
          wait = FIRST_PAUSE_MS;
          if (signal.aborted) standing.connection.close();
          const reason = await standing.over;
          if (!signal.aborted)
            log.debug({ manager: address, reason }, 'the session with a manager has ended');
          break;
        } catch (error) {
          log.debug({ manager: address, error: String(error) }, 'no session with this manager');
        } finally {
          standing = undefined;
        }
      }
      await pause(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
    }
  };
  void run();

  return {
    current: () => standing?.connection,
    again: () => standing?.connection.close(),
  };
};

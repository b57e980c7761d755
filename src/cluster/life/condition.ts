/**
 * How this host is, as its manager is told: with the hello of each session, and again when it has changed while the session stands.
 */
import type { Connection } from '../session/connect.js';
import type { FromNode } from '../session/protocol.js';

export type Condition = Omit<Extract<FromNode, { readonly type: 'describe' }>, 'type'>;

/** milliseconds between two looks */
const LOOK_MS = 10_000;

/** Answers what a hello says. `now` must not throw. */
export const tellCondition = (settings: {
  readonly now: () => Condition;
  /** while a session stands */
  readonly connection: () => Connection | undefined;
  readonly signal: AbortSignal;
  /** milliseconds between two looks */
  readonly every?: number;
}): (() => Condition) => {
  const { now, connection, signal, every = LOOK_MS } = settings;
  let told = '';
  const timer = setInterval(() => {
    const manager = connection();
    const condition = now();
    const text = JSON.stringify(condition);
    if (!manager || text === told) return;
    told = text;
    manager.say({ type: 'describe', ...condition });
  }, every).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  return () => {
    const condition = now();
    told = JSON.stringify(condition);
    return condition;
  };
};

/** Answers a manager's visitors: a message for what was asked, or a refusal in words. */
import type { ViaductError } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Frames } from './frames.js';
import type { FromManager } from './protocol.js';

/** characters */
const LONGEST_REASON = 4_000;

export interface Answers {
  /** `ask`: the question's number; undefined: of a message that asked nothing */
  refuse(channel: Frames, ask: number | undefined, error: unknown): void;
  /** With what `work` resolves to, or why it does not; then `then`. */
  answer(channel: Frames, ask: number, work: Promise<object>, then?: () => void): void;
}

/** A refusal that was meant, not a fault. */
const isTyped = (error: unknown): error is ViaductError =>
  error instanceof Error && error.name === 'ViaductError' && (error as ViaductError).kind !== 'internal';

export const createAnswers = (log: Logger): Answers => {
  const refuse: Answers['refuse'] = (channel, ask, error) => {
    const reason = error instanceof Error ? error.message : String(error);
    if (!isTyped(error)) log.warn({ error: reason }, 'a question of a node could not be answered');
    channel.send({
      type: 'refused',
      ...(ask === undefined ? {} : { ask }),
      reason: reason.slice(0, LONGEST_REASON),
    });
  };
  return {
    refuse,
    answer(channel, ask, work, then) {
      void work.then(
        (fields) => {
          channel.send({ ask, ...fields });
          then?.();
        },
        (error: unknown) => {
          refuse(channel, ask, error);
          then?.();
        },
      );
    },
  };
};

export const typed =
  (type: FromManager['type']) =>
  (fields: object): object => ({ type, ...fields });

export const done = async (work: () => Promise<void> | void): Promise<object> => {
  await work();
  return { type: 'done' };
};

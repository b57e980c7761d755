/**
 * Connections that have shown no certificate: each may ask one question (for the authorities, or to join) within seconds. Invariant: only
 * so many at one time.
 */
import type { Visitor } from '../door/contract.js';
import { type Answers, typed } from './answers.js';
import type { Reception } from './contract.js';
import { type Frames, frames } from './frames.js';
import { fromStranger, MOST_BYTES } from './protocol.js';

const MOST_STRANGERS = 100;
/** milliseconds */
const STRANGER_MS = 30_000;

/** `open`: all connections of the manager's sessions. */
export const createStrangers = (
  reception: Pick<Reception, 'authorities' | 'join'>,
  { answer }: Pick<Answers, 'answer'>,
  open: Set<Frames>,
): ((visitor: Visitor) => void) => {
  let strangers = 0;
  return ({ socket, address }) => {
    if (strangers >= MOST_STRANGERS) {
      socket.destroy();
      return;
    }
    strangers += 1;
    let asked = false;
    const late = setTimeout(() => channel.destroy(), STRANGER_MS);
    const channel = frames(socket, {
      limit: () => MOST_BYTES.stranger,
      closed: () => {
        clearTimeout(late);
        strangers -= 1;
        open.delete(channel);
      },
      message: (raw) => {
        if (asked) {
          channel.end();
          return;
        }
        asked = true;
        const message = fromStranger.parse(raw);
        const work =
          message.type === 'authorities'
            ? Promise.resolve({ type: 'authorities', authorities: reception.authorities() })
            : reception.join(message, address).then(typed('issued'));
        answer(channel, message.ask, work, () => channel.end());
      },
    });
    open.add(channel);
  };
};

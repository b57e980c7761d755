/** Signals as clients send them. */
import { invalid } from '../../errors.js';
import { findSignal } from '../../model/signals.js';

/** Throws invalid `invalid signal: X`. */
export const signalNumber = (text: string): number => {
  const number = findSignal(text);
  if (number === undefined) throw invalid(`invalid signal: ${text.slice(0, 32)}`);
  return number;
};

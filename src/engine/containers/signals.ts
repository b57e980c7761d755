/** Signal names as clients send them (`SIGTERM`, `term`, `15`) to numbers, on Linux. */
import { constants } from 'node:os';
import { invalid } from '../../errors.js';

const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

const realtime = (name: string): number | undefined => {
  const match = /^RTM(IN|AX)([+-]\d{1,2})?$/.exec(name);
  if (!match) return undefined;
  return (match[1] === 'IN' ? REALTIME_MIN : REALTIME_MAX) + Number(match[2] ?? 0);
};

/** Throws invalid `invalid signal: X`. */
export const signalNumber = (text: string): number => {
  const bad = () => invalid(`invalid signal: ${text.slice(0, 32)}`);
  if (text.length > 32) throw bad();
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > REALTIME_MAX) throw bad();
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = realtime(name) ?? Object.entries(constants.signals).find(([n]) => n === `SIG${name}`)?.[1];
  if (number === undefined || number < 1 || number > REALTIME_MAX) throw bad();
  return number;
};

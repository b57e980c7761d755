/** Detach keys: the sequence by which a user leaves a terminal without ending what runs in it. */
import { invalid } from '../../errors.js';

/** ctrl-p ctrl-q */
const DEFAULT_DETACH_KEYS: readonly number[] = [16, 17];

const CONTROLS = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** `ctrl-p,ctrl-q`, `a`, `DEL`… as bytes; empty: the default. Throws invalid `Invalid detach keys (…) provided`. */
export const parseDetachKeys = (text: string): readonly number[] => {
  if (text === '') return DEFAULT_DETACH_KEYS;
  if (text.length > 256) throw invalid('Invalid detach keys provided: too many');
  return text.split(',').map((key) => {
    const code = keyCode(key);
    if (code === undefined) throw invalid(`Invalid detach keys (${text}) provided`);
    return code;
  });
};

const keyCode = (key: string): number | undefined => {
  if (key.length === 1) return key.charCodeAt(0) & 0xff;
  if (key === 'DEL') return 127;
  const control = key.startsWith('ctrl-') && key.length === 6 ? CONTROLS.indexOf(key.slice(5)) : -1;
  return control < 0 ? undefined : control;
};

export interface Typed {
  /** bytes to pass on */
  readonly bytes: Buffer;
  /** the whole sequence was typed: nothing after it counts */
  readonly detached: boolean;
}

/**
 * A reader of what is typed. Bytes that may be the beginning of the sequence are held back until it is clear that
 * they are not.
 */
export const detachReader = (keys: readonly number[]): ((chunk: Uint8Array) => Typed) => {
  let held = 0;
  return (chunk) => {
    const passed: number[] = [];
    for (const byte of chunk) {
      while (held > 0 && byte !== keys[held]) {
        // Not the sequence after all: give the oldest held byte up and see whether the rest still begins it.
        const shorter = longestPrefix(keys, held);
        passed.push(...keys.slice(0, held - shorter));
        held = shorter;
      }
      if (byte === keys[held]) held += 1;
      else passed.push(byte);
      if (held === keys.length) return { bytes: Buffer.from(passed), detached: true };
    }
    return { bytes: Buffer.from(passed), detached: false };
  };
};

/** Length of the longest proper prefix of `keys` that ends the first `held` keys. */
const longestPrefix = (keys: readonly number[], held: number): number => {
  for (let length = held - 1; length > 0; length -= 1) {
    if (keys.slice(0, length).every((key, i) => key === keys[held - length + i])) return length;
  }
  return 0;
};

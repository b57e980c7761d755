/** How the fields of a key or of a map's data lie in memory: one alone as it is, several padded to four bytes each. */
import type { DataType } from '../../firewall/language.js';
import { TYPES } from './values.js';

export interface Layout {
  readonly fields: readonly { readonly type: DataType; readonly offset: number }[];
  /** bytes in all */
  readonly length: number;
}

const padded = (length: number): number => (length + 3) & ~3;

export const layoutOf = (types: readonly DataType[]): Layout => {
  const alone = types.length === 1;
  let length = 0;
  const fields = types.map((type) => {
    const offset = length;
    length += alone ? TYPES[type].length : padded(TYPES[type].length);
    return { type, offset };
  });
  return { fields, length };
};

/** libnftables' number of a concatenation: six bits a field, the first one highest. */
export const typeNumber = (types: readonly DataType[]): number =>
  types.reduce((sum, type) => sum * 64 + TYPES[type].number, 0);

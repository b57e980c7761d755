/**
 * A zod schema that reads an object as Go's JSON decoder does: unknown fields are ignored, null is "not given", a field's
 * name counts in any case.
 */
import * as z from 'zod';

export const fields = <Shape extends z.ZodRawShape>(shape: Shape) => {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  return z.preprocess((value) => keepKnown(value, shape, names), z.object(shape));
};

const keepKnown = (value: unknown, shape: object, names: ReadonlyMap<string, string>): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept = new Map<string, unknown>();
  for (const [key, each] of Object.entries(value)) {
    const name = Object.hasOwn(shape, key) ? key : names.get(key.toLowerCase());
    if (name !== undefined && each !== null) kept.set(name, each);
  }
  return Object.fromEntries(kept);
};

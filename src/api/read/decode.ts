/**
 * zod schemas that read JSON as Go's decoder does: unknown fields are ignored, null is "not given", a field's name
 * counts in any case. A value of the wrong type is `invalid JSON: …`.
 */
import * as z from 'zod';
import { invalid } from '../../errors.js';

export const string = z.string();
export const boolean = z.boolean();
export const integer = z.number().refine(Number.isInteger, { error: 'expected a whole number' });
/** null inside a list is Go's zero value */
export const strings = z.array(z.preprocess((value) => value ?? '', z.string()));
/** Docker's command lines: a list, or one word as a text */
export const commandLine = z.preprocess((value) => (typeof value === 'string' ? [value] : value), strings);

const isStringMap = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((each) => typeof each === 'string');

/** Texts by name; null values count as empty. */
export const stringMap = z.preprocess(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).includes(null)
      ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, each ?? '']))
      : value,
  z.custom<Readonly<Record<string, string>>>(isStringMap, { error: 'expected texts by name' }),
);

/** Go's `map[string]struct{}`: only the names count. Not checked entry by entry, there may be ten thousand. */
export const nameSet = z.custom<Readonly<Record<string, object>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'expected an object' },
);

/** Throws invalid with the path of the first field that does not fit. */
export const decode = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.map(String).join('.') ?? '';
  throw invalid(
    `invalid JSON: ${path === '' ? '' : `${path.slice(0, 200)}: `}${issue?.message ?? 'unreadable'}`,
  );
};

/** What templates speak about: texts, numbers, maps of texts, and structures whose fields are fixed. Pure. */

/** Its fields are all that there is: any other is an error, as in Go. */
export interface Structure {
  /** Go's, for errors */
  readonly type: string;
  readonly fields: Readonly<Record<string, Value>>;
}

/** undefined: Go's nil */
export type Value = string | number | boolean | undefined | ReadonlyMap<string, string> | Structure;

export const isMap = (value: Value): value is ReadonlyMap<string, string> => value instanceof Map;

export const isStructure = (value: Value): value is Structure =>
  typeof value === 'object' && value !== null && 'fields' in value;

export const typeOf = (value: Value): string => {
  if (isStructure(value)) return value.type;
  if (isMap(value)) return 'map[string]string';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value === 'boolean' ? 'bool' : value === undefined ? 'nil' : 'string';
};

/** What counts as true in `if`, `and`, `or`, `not`: all that is not empty. */
export const isTrue = (value: Value): boolean =>
  isMap(value) ? value.size > 0 : isStructure(value) || Boolean(value);

/** In the order in which Go goes through maps in templates. */
export const entriesOf = (map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** `%v` */
export const textOf = (value: Value): string => {
  if (isMap(value))
    return `map[${entriesOf(value)
      .map(([key, each]) => `${key}:${each}`)
      .join(' ')}]`;
  if (isStructure(value)) return `{${Object.values(value.fields).map(textOf).join(' ')}}`;
  return value === undefined ? '<no value>' : String(value);
};

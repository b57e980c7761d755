/** OVSDB's notation of column values (RFC 7047, 5.1): sets, maps and UUIDs as JSON, and rows read back. Pure. */

export type Value = unknown;
export type Row = Readonly<Record<string, Value>>;
/** table → rows */
export type Tables = Readonly<Record<string, readonly Row[]>>;
export type Operation = Readonly<Record<string, unknown>>;

export const set = (values: readonly Value[]): Value => ['set', values];
export const map = (record: Readonly<Record<string, string>>): Value => ['map', Object.entries(record)];
export const uuid = (text: string): Value => ['uuid', text];
/** a row that the same transaction inserts under this name */
export const named = (name: string): Value => ['named-uuid', name];
/** The empty set: an optional column without a value. */
export const NONE = set([]);
export const optional = (value: Value | undefined): Value => (value === undefined ? NONE : value);

export const isRecord = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isList = (value: Value, tag: string): value is [string, readonly Value[]] =>
  Array.isArray(value) && value[0] === tag && Array.isArray(value[1]);

/** The members of a set; a set of one may be written as its only member. */
export const members = (value: Value): readonly Value[] => {
  if (value === undefined) return [];
  return isList(value, 'set') ? value[1] : [value];
};

export const textOf = (value: Value): string => (typeof value === 'string' ? value : '');

export const numberOf = (value: Value): number | undefined => {
  const [only] = members(value);
  return typeof only === 'number' ? only : undefined;
};

export const numbersOf = (value: Value): readonly number[] =>
  members(value).filter((n) => typeof n === 'number');

export const uuidsOf = (value: Value): readonly string[] =>
  members(value).flatMap((m) => (Array.isArray(m) && m[0] === 'uuid' ? [textOf(m[1])] : []));

/** A map of texts; other entries are left out. */
export const recordOf = (value: Value): Readonly<Record<string, string>> =>
  isList(value, 'map')
    ? Object.fromEntries(
        value[1].flatMap((pair) =>
          Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string'
            ? [[pair[0], pair[1]] as const]
            : [],
        ),
      )
    : {};

/** Map whose values are UUIDs (`QoS.queues`): the UUIDs alone. */
export const mapUuids = (value: Value): readonly string[] =>
  isList(value, 'map') ? value[1].flatMap((pair) => (Array.isArray(pair) ? uuidsOf(pair[1]) : [])) : [];

export const uuidOf = (row: Row): string => uuidsOf(row._uuid)[0] ?? '';

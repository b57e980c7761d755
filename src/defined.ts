/**
 * `defined({ a, b })` makes an object without the keys whose values are undefined, as JSON and optional fields want
 * it.
 */

type Named<T> = {
  readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The fields without those that are undefined. */
export const defined = <T extends object>(fields: T): Named<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Named<T>; // just that

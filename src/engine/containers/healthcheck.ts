/** Health checks without effects: what is to be run, what of it is the image's, what a result makes of the state. */
import type { Health, Healthcheck } from '../../model/container.js';

const KEPT = 5;

/** Undefined for `NONE`. */
export const testCommand = ({ Test = [] }: Healthcheck): readonly string[] | undefined => {
  const [kind, ...rest] = Test;
  if (kind === 'CMD') return rest;
  if (kind === 'CMD-SHELL') return ['/bin/sh', '-c', rest[0] ?? ''];
  return undefined;
};

const NUMBERS = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const;

/** An image's, of which nothing is checked yet: what is not as it must be is left out. */
const readImageCheck = (image: unknown): Healthcheck => {
  const given: Readonly<Record<string, unknown>> = typeof image === 'object' && image ? { ...image } : {};
  const test = Array.isArray(given.Test) ? given.Test.map(String) : [];
  const numbers = NUMBERS.flatMap((name) => {
    const value = given[name];
    return typeof value === 'number' && value > 0 ? [[name, value] as const] : [];
  });
  return { ...(test.length > 0 ? { Test: test } : {}), ...Object.fromEntries(numbers) };
};

/** What the user leaves open is the image's: the test as a whole, or one of its figures. */
export const mergeHealth = (own: Healthcheck | undefined, image: unknown): Healthcheck | undefined => {
  if (image === undefined) return own;
  const given = Object.entries(own ?? {}).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value,
  );
  return { ...readImageCheck(image), ...Object.fromEntries(given) };
};

/** Pure: one more result. Failures in the start period do not count. */
export const nextHealth = (
  before: Health,
  result: Health['log'][number],
  retries: number,
  inStartPeriod: boolean,
): Health => {
  const log = [...before.log, result].slice(-KEPT);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (inStartPeriod && before.status === 'starting') return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= retries ? 'unhealthy' : before.status, failingStreak, log };
};

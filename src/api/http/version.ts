/** API versions: what a request may ask for, and how it is refused. The major number is always 1. */
import { invalid } from '../../errors.js';

/** moby daemon/config: the lowest version served. */
export const MIN_API_VERSION = '1.24';
export const MAX_API_VERSION = '1.52';

const numbers = (version: string): readonly number[] => version.split('.').map((part) => Number(part) || 0);

/** -1, 0 or 1; missing parts count as 0, as moby compares. */
const compareVersions = (left: string, right: string): number => {
  const a = numbers(left);
  const b = numbers(right);
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
};

/**
 * The minor number to answer by; no version in the path means the newest.
 * Throws `invalid` for a version outside 1.24–1.52.
 */
export const negotiate = (version: string | undefined): number => {
  const asked = version ?? MAX_API_VERSION;
  if (compareVersions(asked, MIN_API_VERSION) < 0) {
    throw invalid(
      `client version ${asked} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (compareVersions(asked, MAX_API_VERSION) > 0) {
    throw invalid(`client version ${asked} is too new. Maximum supported API version is ${MAX_API_VERSION}`);
  }
  return numbers(asked)[1] ?? 0;
};

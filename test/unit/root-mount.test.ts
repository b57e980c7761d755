import { expect, test } from 'vitest';
import { hasRootMount } from '../../src/kernel/root-mount.js';

test('T2: a root that is no mount point is known', () => {
  const proc = '439 379 0:231 / /proc rw,relatime - proc proc rw';
  expect(hasRootMount(`379 229 254:0 /srv/root / rw,relatime - ext4 /dev/vda rw\n${proc}\n`)).toBe(true);
  expect(hasRootMount(`${proc}\n`)).toBe(false);
  expect(hasRootMount('')).toBe(false);
});

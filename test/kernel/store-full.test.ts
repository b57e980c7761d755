/** The record on disks without room: at the start, for the next tail, for the next snapshot, for a line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Outcome } from '../support/full-store.js';
import { run } from '../support/run.js';

test('A K12: on a disk of any size what was taken is there after a kill, the rest is refused in words, and both go on when there is room', async () => {
  const base = mkdtempSync('/dev/shm/vd-full-');
  try {
    const script = fileURLToPath(new URL('../support/full-store.ts', import.meta.url));
    const args = ['--mount', '--propagation', 'private', process.execPath, '--import', 'tsx', script, base];
    const text = await run('unshare', args, { timeoutMs: 90_000 });
    const outcomes = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Outcome);
    const started = outcomes.filter(({ taken }) => taken !== undefined);
    for (const { kilobytes, taken = 0, refused, killed, later } of started) {
      const ids = Array.from({ length: taken }, (_, n) => String(n));
      expect(killed, `${kilobytes} kB`).toEqual(ids);
      expect(later, `${kilobytes} kB`).toEqual([...ids, 'later']);
      if (taken < 40) expect(refused).toMatch(/no space left/i);
    }
    for (const { taken, refused } of outcomes)
      if (taken === undefined) expect(refused).toMatch(/no space left/i);
    expect(started.length).toBeLessThan(outcomes.length);
    expect(started.some(({ taken = 0 }) => taken > 0 && taken < 40)).toBe(true);
    expect(started.some(({ taken }) => taken === 40)).toBe(true);
  } finally {
    rmSync(join(base), { recursive: true, force: true });
  }
}, 100_000);

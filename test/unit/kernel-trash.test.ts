/** Directories that leave: their name is free at once, their files go later, and whatever a crash left goes too. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTrash } from '../../src/kernel/trash.js';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'viaduct-leaving-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const make = (name: string): string => {
  const directory = join(base, name);
  mkdirSync(join(directory, 'inner'), { recursive: true });
  writeFileSync(join(directory, 'inner/file'), name);
  return directory;
};

test('the name is free at once, and may be taken and left again before the files are gone', async () => {
  const trash = createTrash();
  for (let i = 0; i < 3; i += 1) {
    trash.remove(make('web'));
    expect(existsSync(join(base, 'web'))).toBe(false);
  }
  expect(readdirSync(base)).toHaveLength(3);
  await trash.close();
  expect(readdirSync(base)).toEqual([]);
});

test('files go by themselves, a name that is not there is well, and what stays is not touched', async () => {
  const trash = createTrash();
  make('stays');
  trash.remove(join(base, 'never'));
  trash.remove(make('-rf'));
  await vi.waitFor(() => expect(readdirSync(base)).toEqual(['stays']), 5_000);
  await trash.close();
  expect(readdirSync(join(base, 'stays/inner'))).toEqual(['file']);
});

test('what left while others were being removed is gone after the end, too', async () => {
  const trash = createTrash();
  await trash.close(); // nothing to wait for
  trash.remove(make('first'));
  const closed = trash.close();
  trash.remove(make('second'));
  await closed;
  await trash.close();
  expect(readdirSync(base)).toEqual([]);
});

test('leftovers of a crash are swept away by the next, and nothing beside them', async () => {
  const crashed = createTrash();
  vi.useFakeTimers(); // its time to remove never comes
  crashed.remove(make('web'));
  vi.useRealTimers();
  make('gone-by-name-only');
  const next = createTrash();
  next.sweep(base);
  next.sweep(join(base, 'never'));
  await next.close();
  expect(readdirSync(base)).toEqual(['gone-by-name-only']);
});

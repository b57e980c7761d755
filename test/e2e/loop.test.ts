/**
 * Large work, during which the loop must turn as ever: what stands too long fails the test (test/support/no-stands.ts).
 * Four thousand small files and one of 48 MB stand for anything.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile({ images: ['alpine'] });

const FILES = 4_000;
const BIG = 48 << 20;

let context = '';
beforeAll(async () => {
  context = join(d.world.base, 'context');
  mkdirSync(join(context, 'many'), { recursive: true });
  for (let at = 0; at < FILES; at++) writeFileSync(join(context, 'many', `file-${at}`), `${at}`);
  writeFileSync(join(context, 'big'), Buffer.alloc(BIG, 'viaduct'));
  writeFileSync(join(context, 'Dockerfile'), 'FROM alpine\nCOPY many /many\nCOPY big /big\n');
  await d.docker('build', '-q', '-t', 'large', context);
});

const counted = (...run: string[]): Promise<string> =>
  d.docker('run', '--rm', ...run, 'sh', '-c', 'ls /many | wc -l');

describe('the loop never stands', () => {
  test('I10: a context is taken in, an image built and removed', async () => {
    expect(Number(await counted('large'))).toBe(FILES);
    await d.docker('build', '-q', '--no-cache', '-t', 'again', context);
    await d.docker('rmi', 'again');
  });

  test('I10: a new volume is filled, measured and removed', async () => {
    await d.docker('run', '--name', 'filler', '-v', 'filled:/many', 'large', 'true');
    expect(Number(await counted('-v', 'filled:/many', 'alpine'))).toBe(FILES);
    const sizes = await d.docker('system', 'df', '-v', '--format', '{{json .Volumes}}');
    expect(JSON.parse(sizes)).toMatchObject([{ Name: 'filled', Links: '1' }]);
    await d.docker('rm', 'filler');
    await d.docker('volume', 'rm', 'filled');
  });

  test('I10: a root is written, measured, compared, committed, exported and removed', async () => {
    await d.docker('run', '--name', 'writer', 'large', 'cp', '-r', '/many', '/big', '/srv/');
    expect(await d.docker('ps', '-as', '--format', '{{.Size}}')).toMatch(/^5\d\.?\d*MB/);
    expect((await d.docker('diff', 'writer')).split('\n').length).toBeGreaterThan(FILES);
    await d.docker('commit', 'writer', 'written');
    const tar = join(d.world.base, 'exported.tar');
    await d.docker('export', '-o', tar, 'writer');
    expect(statSync(tar).size).toBeGreaterThan(2 * BIG);
    await d.docker('rm', 'writer');
    expect(await d.docker('import', tar, 'imported')).toContain('sha256:');
    await d.docker('rmi', 'written', 'imported');
  });

  test('I10: an image is saved, removed and loaded', async () => {
    const tar = join(d.world.base, 'saved.tar');
    await d.docker('save', '-o', tar, 'large');
    await d.docker('rmi', 'large');
    expect(await d.docker('load', '-i', tar)).toContain('large:latest');
    expect(Number(await counted('large'))).toBe(FILES);
  });

  test('I10: a long log is read by a client that is as fast as we are', async () => {
    const lines = 100_000;
    await d.docker('run', '--name', 'talker', 'alpine', 'seq', String(lines));
    const words = (text: string): number => text.trim().split(/\s/).length;
    expect(words(await d.docker('logs', 'talker'))).toBe(lines);
    expect(words(await d.docker('logs', '-f', '--tail', '90000', 'talker'))).toBe(90_000);
    expect(words(await d.docker('logs', '--since', '1h', 'talker'))).toBe(lines);
  });
});

/** S3: secrets and configs of a task are files of its own, on no disk, and gone with it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createTaskFiles, type TaskFile } from '../../src/cluster/agent/files.js';

const TMPFS_MAGIC = 0x01021994;
const root = mkdtempSync(join(tmpdir(), 'task-files-'));
const parent = join(root, 'files');
const files = createTaskFiles(parent);
const mounted = (): readonly string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(parent));
afterAll(async () => {
  await files.sweep(() => false);
  rmSync(root, { recursive: true });
});

const aFile = (changes: Partial<TaskFile> = {}): TaskFile => ({
  destination: '/run/secrets/key',
  uid: 33,
  gid: 34,
  mode: 0o440,
  data: Buffer.from([0, 255, 10]),
  ...changes,
});

describe('S3: files of a task', () => {
  test('are laid in a tmpfs with owner and mode, and mounted read-only', async () => {
    const [first, second] = await files.lay('t1', [
      aFile(),
      aFile({ destination: '/etc/a.conf', data: Buffer.from('a') }),
    ]);
    expect(first).toEqual({
      Type: 'bind',
      Source: join(parent, 't1/0'),
      Target: '/run/secrets/key',
      ReadOnly: true,
    });
    const { uid, gid, mode } = statSync(first?.Source ?? '');
    expect([uid, gid, mode & 0o7777]).toEqual([33, 34, 0o440]);
    expect(readFileSync(first?.Source ?? '')).toEqual(Buffer.from([0, 255, 10]));
    expect(readFileSync(second?.Source ?? '', 'utf8')).toBe('a');
    expect(statfsSync(first?.Source ?? '').type).toBe(TMPFS_MAGIC);
    expect(statSync(join(parent, 't1')).mode & 0o777).toBe(0o700);
  });
  test('A: what is no id of a task leads to no path of the host', async () => {
    const victim = join(root, 'victim');
    mkdirSync(victim);
    for (const id of ['../victim', '..', '', 'a/b', `${'a'.repeat(65)}`]) {
      await expect(files.clear(id)).rejects.toThrow('is no id of a task');
      await expect(files.lay(id, [aFile()])).rejects.toThrow('is no id of a task');
      expect(() => files.has(id)).toThrow('is no id of a task');
    }
    expect(existsSync(victim)).toBe(true);
  });
  test('are laid anew where a daemon was killed behind the first time, and gone when they are cleared', async () => {
    await files.lay('t2', [aFile()]);
    await files.lay('t2', [aFile({ data: Buffer.from('new') })]);
    expect(readFileSync(join(parent, 't2/0'), 'utf8')).toBe('new');
    expect(mounted().filter((line) => line.includes('t2'))).toHaveLength(1);
    await files.clear('t2');
    await files.clear('t2');
    expect(existsSync(join(parent, 't2'))).toBe(false);
  });
  test('leave nothing where they cannot be laid, and nothing for a task that needs none', async () => {
    await expect(files.lay('t3', [aFile({ uid: -5 })])).rejects.toThrow();
    expect(await files.lay('t4', [])).toEqual([]);
    await expect(files.lay('../t5', [aFile()])).rejects.toThrow('../t5 is no id of a task');
    expect(mounted().filter((line) => /t[345]/.test(line))).toEqual([]);
    expect(existsSync(join(parent, 't3'))).toBe(false);
  });
  test('of nobody’s task are swept', async () => {
    await files.lay('t6', [aFile()]);
    await files.lay('t7', [aFile()]);
    await files.sweep((id) => id === 't7');
    expect([existsSync(join(parent, 't6')), existsSync(join(parent, 't7'))]).toEqual([false, true]);
  });
});

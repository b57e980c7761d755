/** Volumes as directories: names, metadata that survives, removal and pruning. Mounted devices: test/kernel. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createVolumes } from '../../src/engine/volumes/index.js';
import type { EngineEvent } from '../../src/model/events.js';
import type { ContainerId } from '../../src/model/ids.js';

let dataRoot = '';
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), 'viaduct-volumes-'));
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

const open = (users: Record<string, string[]> = {}) => {
  const events: Omit<EngineEvent, 'timeNano'>[] = [];
  const warnings: string[] = [];
  const volumes = createVolumes({
    addressOf: async () => '192.0.2.1',
    remote: { mount: async () => {}, unmount: async () => {} },
    dataRoot,
    usedBy: (name) => (users[name] ?? []) as ContainerId[],
    publish: (event) => void events.push(event),
    warn: (message) => void warnings.push(message),
  });
  return { volumes, events, warnings };
};
const plain = (name: string) => ({ name, driver: 'local', options: {}, labels: {} });

describe('create', () => {
  test('makes a directory and an event; again answers the same volume', () => {
    const { volumes, events } = open();
    const made = volumes.create({ ...plain('data'), labels: { a: 'b' } });
    expect(made).toMatchObject({ name: 'data', driver: 'local', labels: { a: 'b' }, anonymous: false });
    expect(existsSync(made.mountpoint)).toBe(true);
    expect(volumes.create(plain('data'))).toEqual(made);
    expect(events.map(({ action }) => action)).toEqual(['create']);
  });
  test('without a name takes a random one and is anonymous', () => {
    const { volumes } = open();
    const made = volumes.create(plain(''));
    expect(made.name).toMatch(/^[0-9a-f]{64}$/);
    expect(made).toMatchObject({ anonymous: true, labels: { 'com.docker.volume.anonymous': '' } });
  });
  test.each([
    ['a', 'create a: volume name is too short, names should be at least two alphanumeric characters'],
    [
      'hello world',
      'create hello world: "hello world" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    ['../up', 'includes invalid characters'],
    ['.hidden', 'includes invalid characters'],
    ['a\nb', 'includes invalid characters'],
    ['x'.repeat(256), 'volume name is too long'],
  ])('refuses the name %j', (name, message) => {
    const { volumes } = open();
    expect(() => volumes.create(plain(name))).toThrow(message);
    expect(readdirSync(join(dataRoot, 'volumes'))).toEqual([]);
  });
  test.each<[Record<string, string>, string]>([
    [{ bogus: '1' }, 'invalid option: "bogus"'],
    [{ type: 'tmpfs' }, 'missing required option: "device"'],
    [{ o: 'ro', device: '/x' }, 'missing required option: "type"'],
    [{ size: '1g' }, 'quota size requested but no quota support'],
  ])('refuses the options %j', (options, message) => {
    expect(() => open().volumes.create({ ...plain('data'), options })).toThrow(message);
  });
  test('knows no other driver', () => {
    expect(() => open().volumes.create({ ...plain('data'), driver: 'flocker' })).toThrow(
      expect.objectContaining({
        kind: 'not-found',
        message: 'create data: error looking up volume plugin flocker: plugin "flocker" not found',
      }),
    );
  });
});

describe('over a restart', () => {
  test('volumes are the same', () => {
    const before = open().volumes;
    before.create({
      name: 'bb',
      driver: '',
      options: { type: 'tmpfs', device: 'tmpfs' },
      labels: { x: 'y' },
    });
    before.create(plain('aa'));
    before.create(plain(''));
    expect(open().volumes.list()).toEqual(before.list());
    expect(before.list()).toHaveLength(3);
  });
  test('a broken file is put aside with a warning, the data stays', () => {
    const { mountpoint } = open().volumes.create({ ...plain('data'), labels: { x: 'y' } });
    writeFileSync(join(mountpoint, 'kept'), 'yes');
    writeFileSync(join(mountpoint, '../volume.json'), '{"createdAt":"2026');
    const { volumes, warnings } = open();
    expect(volumes.get('data').labels).toEqual({});
    expect(readFileSync(join(mountpoint, 'kept'), 'utf8')).toBe('yes');
    expect(warnings).toEqual([expect.stringContaining('volume.json.broken')]);
    expect(existsSync(join(mountpoint, '../volume.json.broken'))).toBe(true);
  });
  test('a removal that was cut short is finished', () => {
    mkdirSync(join(dataRoot, 'volumes/.removing-0123/_data'), { recursive: true });
    expect(open().volumes.list()).toEqual([]);
    expect(readdirSync(join(dataRoot, 'volumes'))).toEqual([]);
  });
});

describe('remove', () => {
  test('deletes the data and says so', async () => {
    const { volumes, events } = open();
    writeFileSync(join(volumes.create(plain('data')).mountpoint, 'file'), 'x');
    await volumes.remove('data', false);
    expect(readdirSync(join(dataRoot, 'volumes'))).toEqual([]);
    expect(events.map(({ action }) => action)).toEqual(['create', 'destroy']);
    expect(() => volumes.get('data')).toThrow('get data: no such volume');
  });
  test('refuses while a container has it, and what is not there unless forced', async () => {
    const { volumes } = open({ data: ['c1', 'c2'] });
    volumes.create(plain('data'));
    await expect(volumes.remove('data', true)).rejects.toThrow(
      expect.objectContaining({ kind: 'conflict', message: 'remove data: volume is in use - [c1, c2]' }),
    );
    await expect(volumes.remove('none', false)).rejects.toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    );
    await volumes.remove('none', true);
  });
});

test('prune takes what is selected, unused and without a device; size counts a hard link once', async () => {
  const { volumes } = open({ used: ['c1'] });
  for (const name of ['used', 'free', 'kept']) volumes.create(plain(name));
  volumes.create({ ...plain('device'), options: { type: 'tmpfs', device: 'tmpfs' } });
  writeFileSync(join(volumes.get('free').mountpoint, 'file'), 'x'.repeat(1000));
  expect(await volumes.size('free')).toBe(1000);
  expect(await volumes.size('device')).toBe(-1);
  expect(await volumes.prune(({ name }) => name !== 'kept')).toEqual({ deleted: ['free'], bytes: 1000 });
  expect(volumes.list().map(({ name }) => name)).toEqual(['device', 'kept', 'used']);
});

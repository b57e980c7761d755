/** The namespace in which containers are made has nothing of others, and they all the same what is mounted now. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as ffi from '../../src/kernel/ffi.js';
import { mountsBelow } from '../../src/kernel/mount-table.js';
import { runProgram } from '../../src/kernel/program.js';
import type { MountPoint } from '../../src/model/container.js';
import { createHandOver } from '../../src/runtime/hand-over.js';
import { inspectMachine } from '../../src/runtime/machine.js';
import { entering } from '../../src/runtime/short-namespace.js';
import type { OciSpec } from '../../src/runtime/spec/oci.js';
import { makeWorld, type World } from './runtime-world.js';

let world: World;
let others: string;
beforeAll(async () => {
  world = await makeWorld();
  others = join(world.base, 'others');
  mkdirSync(others);
  ffi.mount(others, others, '', ffi.MS.BIND, '');
});
afterAll(async () => {
  for (const path of mountsBelow(others).toReversed()) ffi.umount(path);
  await world.close();
});

const bind = (source: string, destination: string, propagation = 'rprivate'): MountPoint => ({
  type: 'bind',
  ...{ name: '', mode: '', driver: '', options: '' },
  ...{ source, destination, propagation, rw: true },
});

const home = () => join(world.base, 'run', '.hand');
const handed = () =>
  mountsBelow(home()).filter((path) => path.split('/').length > home().split('/').length + 2);

/** As of a container without anything but a root. */
const specOf = (root: string): OciSpec =>
  ({
    root: { path: root, readonly: false },
    mounts: [],
    linux: { namespaces: [{ type: 'mount' }] },
  }) as never;

const silent = { warn: () => {} };

test('I12: what was mounted since, and below it, is seen by whoever binds it', async () => {
  await world.shell('true');
  const late = join(others, 'late');
  mkdirSync(late);
  ffi.mount('tmpfs', late, 'tmpfs', 0, '');
  mkdirSync(join(late, 'inner'));
  ffi.mount('tmpfs', join(late, 'inner'), 'tmpfs', 0, '');
  writeFileSync(join(late, 'inner', 'file'), 'seen');
  const { out } = await world.shell('cat /at/inner/file; cat /one', {
    mounts: [bind(late, '/at'), bind(join(late, 'inner', 'file'), '/one')],
  });
  expect(out).toBe('seenseen');
});

test('I12: what was handed over is gone when the container is, and soon after it was made', async () => {
  const { id } = await world.launch(['sleep', '100'], { mounts: [bind(others, '/at')] });
  await expect.poll(handed).toEqual([]);
  await world.runtime.delete(id);
  expect(handed()).toEqual([]);
});

test('I12: mount points are used again', async () => {
  const points = () => readdirSync(home()).flatMap((name) => readdirSync(join(home(), name)));
  const file = join(others, 'file');
  writeFileSync(file, '');
  const once = () => world.shell('true', { mounts: [bind(others, '/at'), bind(file, '/one')] });
  await once();
  const before = points();
  await once();
  expect(points()).toEqual(before);
});

test('I12: a source that is not there is refused in the runtime’s words, and leaves nothing', async () => {
  const missing = join(others, 'missing');
  await expect(world.shell('true', { mounts: [bind(missing, '/at')] })).rejects.toThrow(missing);
  expect(handed()).toEqual([]);
});

const open = async (also: readonly string[] = []) => {
  const machine = await inspectMachine('crun');
  const needed = [join(world.base, 'run'), machine.runtime.path, ...also];
  return { machine, hand: createHandOver(machine, join(world.base, 'hand'), needed, silent) };
};

test('I12: its table has the container at hand, and none of what others or users have mounted', async () => {
  const { machine, hand } = await open();
  await hand.prepare('a', world.root, []);
  const { namespace = '', spec } = hand.give('a', specOf(world.root));
  const [command, ...args] = [...entering(machine, namespace), 'cat', '/proc/self/mountinfo'];
  const table = String(await runProgram({ command, args }));
  expect(table).toContain(spec.root.path);
  expect(table).not.toContain(others);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toContain(others);
  await hand.takeBack('a');
  expect(String(await runProgram({ command, args }))).not.toContain(spec.root.path);
  await hand.close();
  expect(mountsBelow(join(world.base, 'hand'))).toEqual([]);
});

/** A directory that shares what is mounted below it, as all do where systemd is. */
const lend = (): { readonly lent: string; readonly inner: string } => {
  const lent = join(others, 'lent');
  mkdirSync(lent);
  ffi.mount('tmpfs', lent, 'tmpfs', 0, '');
  ffi.mount('', lent, '', ffi.MS.SHARED, '');
  const inner = join(lent, 'inner');
  mkdirSync(inner);
  ffi.mount('tmpfs', inner, 'tmpfs', 0, '');
  writeFileSync(join(inner, 'file'), 'seen');
  return { lent, inner };
};

const takeLent = ({ lent }: ReturnType<typeof lend>): void => {
  for (const path of mountsBelow(lent).toReversed()) ffi.umount(path);
  rmdirSync(lent);
};

test('I12: what the host shares stays mounted there when it is taken back, and is gone from the namespace', async () => {
  const of = lend();
  const { machine, hand } = await open();
  await hand.prepare('a', world.root, [{ source: of.lent, propagation: 'rprivate' }]);
  const { namespace = '', spec } = hand.give('a', specOf(world.root));
  const [command, ...args] = [...entering(machine, namespace), 'cat', '/proc/self/mountinfo'];
  const table = async () => String(await runProgram({ command, args }));
  expect((await table()).match(/ tmpfs tmpfs rw/g)?.length).toBeGreaterThanOrEqual(2);
  const before = (await table()).split('\n').length;
  await hand.takeBack('a');
  expect(before - (await table()).split('\n').length).toBe(3); // the root, what was lent, and what is on it
  expect(await table()).not.toContain(`${spec.root.path} `);
  expect(readFileSync(join(of.inner, 'file'), 'utf8')).toBe('seen');
  await hand.close();
  expect(readFileSync(join(of.inner, 'file'), 'utf8')).toBe('seen');
  takeLent(of);
});

test('I12: what the host shares stays mounted there, too, when a daemon was killed while it bound it', async () => {
  const of = lend();
  const { hand } = await open();
  const left = join(world.base, 'hand', '999999999.1.1.aside');
  mkdirSync(join(left, '0'), { recursive: true });
  ffi.mount(left, left, '', ffi.MS.BIND, '');
  ffi.mount(of.lent, join(left, '0'), '', ffi.MS.BIND | ffi.MS.REC, '');
  await hand.sweep();
  expect(existsSync(left)).toBe(false);
  expect(readFileSync(join(of.inner, 'file'), 'utf8')).toBe('seen');
  takeLent(of);
});

test('I12: a disk that a path of ours leads to by a link is there, and one that nothing leads to is not', async () => {
  const [disk, link, lost] = ['disk', 'link', 'lost'].map((name) => join(world.base, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [disk, lost]) {
    mkdirSync(path);
    ffi.mount('tmpfs', path, 'tmpfs', 0, '');
    writeFileSync(join(path, 'file'), 'seen');
  }
  symlinkSync(disk, link);
  const { machine, hand } = await open([join(link, 'not', 'yet')]);
  await hand.prepare('a', world.root, []);
  const { namespace = '' } = hand.give('a', specOf(world.root));
  const [command, ...args] = [...entering(machine, namespace), 'sh', '-c', `cat ${link}/file; ls ${lost}`];
  expect(String(await runProgram({ command, args }))).toBe('seen');
  await hand.close();
  for (const path of [disk, lost]) ffi.umount(path);
});

test('I12: propagation that would end at the directory between is left to a copy of our namespace', async () => {
  const { hand } = await open();
  const spec = specOf(world.root);
  for (const [source, propagation] of [
    [others, 'rshared'],
    [others, 'slave'],
    ['/', 'rprivate'],
  ] as const) {
    await hand.prepare('a', world.root, [{ source, propagation }]);
    expect(hand.give('a', spec)).toEqual({ namespace: undefined, spec });
  }
  await hand.close();
});

test('I12: what a killed daemon left is taken away; what another has stays', async () => {
  const { hand } = await open();
  const left = join(world.base, 'hand', '999999999.1.1');
  mkdirSync(join(left, 'a.0'), { recursive: true });
  ffi.mount(left, left, '', ffi.MS.BIND, '');
  ffi.mount(world.root, join(left, 'a.0'), '', ffi.MS.BIND, '');
  await hand.prepare('a', world.root, []);
  const { spec } = hand.give('a', specOf(world.root));
  await (await open()).hand.sweep();
  expect(existsSync(left)).toBe(false);
  expect(existsSync(join(world.root, 'bin/busybox'))).toBe(true);
  expect(existsSync(join(spec.root.path, 'bin/busybox'))).toBe(true);
  await hand.close();
});

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bindMount, overlayMount, tmpfsMount, unmount } from '../../src/kernel/mounts.js';
import {
  createNamespace,
  isNamespace,
  namespaceIdentity,
  removeNamespace,
  sweepNamespaceFiles,
} from '../../src/kernel/netns.js';
import { hasSysctl, readSysctl, writeSysctl } from '../../src/kernel/sysctl.js';

let root: string;
const path = (...names: string[]): string => join(root, ...names);
const directory = (...names: string[]): string => {
  mkdirSync(path(...names), { recursive: true });
  return path(...names);
};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'viaduct-mounts-'));
});
afterEach(() => {
  for (const name of ['target', 'ns']) unmount(path(name));
  rmSync(root, { recursive: true, force: true });
});

test('a bind mount, and one that cannot be written', () => {
  writeFileSync(join(directory('source'), 'file'), 'text');
  directory('target');
  bindMount(path('source'), path('target'));
  expect(readFileSync(path('target', 'file'), 'utf8')).toBe('text');
  unmount(path('target'));
  bindMount(path('source'), path('target'), { readOnly: true, recursive: true, propagation: 'private' });
  expect(() => writeFileSync(path('target', 'file'), 'x')).toThrow(/EROFS/);
  unmount(path('target'));
  unmount(path('target'));
  expect(readdirSync(path('target'))).toEqual([]);
});

test('an overlay of more layers than a page of options names, in order, with hostile names', () => {
  const layers = Array.from({ length: 90 }, (_, i) =>
    directory(`layer-${'x'.repeat(80)}:,\\${i.toString().padStart(2, '0')}`),
  );
  layers.forEach((layer, i) => {
    writeFileSync(join(layer, `only-${i}`), '');
    writeFileSync(join(layer, 'both'), `${i}`);
  });
  expect(layers.join(':').length).toBeGreaterThan(8000);
  const short = layers.slice(0, 30);
  overlayMount(
    { lower: short, upper: { directory: directory('upper'), work: directory('work') } },
    directory('target'),
  );
  expect(readFileSync(path('target', 'both'), 'utf8')).toBe('0');
  expect(readdirSync(path('target'))).toHaveLength(31);
  writeFileSync(path('target', 'new'), 'n');
  expect(readFileSync(path('upper', 'new'), 'utf8')).toBe('n');
});

test('a tmpfs with a limit', () => {
  tmpfsMount(directory('target'), { data: 'size=64k,mode=1777' });
  expect(() => writeFileSync(path('target', 'big'), Buffer.alloc(100_000))).toThrow(/ENOSPC/);
});

test('a namespace is made once, survives a second make, and goes with its file', () => {
  createNamespace(path('ns'));
  const identity = namespaceIdentity(path('ns'));
  createNamespace(path('ns'));
  expect(namespaceIdentity(path('ns'))).toBe(identity);
  expect(isNamespace(path('ns'))).toBe(true);
  removeNamespace(path('ns'));
  expect(readdirSync(root)).toEqual([]);
  removeNamespace(path('ns'));
  expect(() =>
    createNamespace(path('ns'), () => {
      throw new Error('inside');
    }),
  ).toThrow('inside');
  expect(readdirSync(root)).toEqual([]);
});

test('K15: a file that was never bound is swept; what is bound, and what a record names, stays', () => {
  createNamespace(path('bound'));
  for (const name of ['orphan', 'wanted']) writeFileSync(path(name), '');
  sweepNamespaceFiles(root, new Set([path('wanted')]));
  expect(readdirSync(root).sort()).toEqual(['bound', 'wanted']);
  expect(isNamespace(path('bound'))).toBe(true);
  sweepNamespaceFiles(path('nowhere'), new Set());
  removeNamespace(path('bound'));
});

test('sysctls of a sandbox are its own; several values are compared whatever parts them', () => {
  createNamespace(path('ns'));
  const host = readSysctl('host', 'net/ipv4/ip_forward');
  // A new namespace takes the machine's value, whichever that is: both ways are written.
  for (const value of ['0', '1']) {
    writeSysctl(path('ns'), 'net/ipv4/ip_forward', value);
    expect(readSysctl(path('ns'), 'net/ipv4/ip_forward')).toBe(value);
    expect(readSysctl('host', 'net/ipv4/ip_forward')).toBe(host);
  }
  writeSysctl(path('ns'), 'net/ipv4/ip_local_port_range', '2000  3000');
  expect(hasSysctl(path('ns'), 'net/ipv4/ip_local_port_range', '2000\t3000')).toBe(true);
  expect(readSysctl(path('ns'), 'net/ipv4/nothing')).toBeUndefined();
  expect(() => writeSysctl(path('ns'), 'net/ipv4/ip_local_port_range', 'abc')).toThrow(
    expect.objectContaining({ errno: 22, operation: 'sysctl write net/ipv4/ip_local_port_range=abc' }),
  );
  for (const hostile of ['../../etc/passwd', 'net//x', 'net/./x', '/etc/passwd', 'net/\0', ''])
    expect(() => writeSysctl('host', hostile, 'x')).toThrow(expect.objectContaining({ errno: 22 }));
  removeNamespace(path('ns'));
});

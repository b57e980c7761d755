/**
 * The /etc files of containers on disk: written in place, because containers see them through bind mounts of their
 * inodes. Invariants: a file keeps its inode; a resolv.conf that differs from what we last wrote is the user's and is
 * left alone; a file that a container blew up is not read.
 */

import { createHash } from 'node:crypto';
import {
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { attempt } from '../errors.js';
import { closing } from '../kernel/file-calls.js';
import { type HostsRecord, withAddress, withoutRecords, withRecords } from './hosts.js';
import { EMPTY_RESOLV_CONF, parseResolvConf, type ResolvConf, type ResolvConfMode } from './resolv-conf.js';

/** Bytes; larger files are not ours to understand. */
const MAX_FILE = 1 << 20;
const MODE = 0o644;
const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/** Overwrites the file's content, never its inode. New bytes first, then the cut: a crash leaves no empty file. */
export const writeInPlace = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  const bytes = Buffer.from(text);
  closing(openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, MODE), (fd) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    ftruncateSync(fd, bytes.length);
  });
};

/** undefined: not there, no regular file, or larger than 1 MiB. */
const readBounded = (path: string): string | undefined => {
  const fd = attempt(() => openSync(path, O_RDONLY | O_NOFOLLOW));
  if (fd === undefined) return undefined;
  return closing(fd, () => {
    const stat = fstatSync(fd);
    if (stat.size > MAX_FILE || !stat.isFile()) return undefined;
    const bytes = Buffer.alloc(stat.size);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, stat.size, 0));
  });
};

const edit = (path: string, change: (text: string) => string): boolean => {
  const text = readBounded(path);
  if (text === undefined) return false;
  const changed = change(text);
  if (changed !== text) writeInPlace(path, changed);
  return true;
};

/** Connect. false: the file is gone or not ours to understand. */
export const addHosts = (path: string, records: readonly HostsRecord[]): boolean =>
  edit(path, (text) => withRecords(text, records));

/** Disconnect. */
export const removeHosts = (path: string, records: readonly HostsRecord[]): boolean =>
  edit(path, (text) => withoutRecords(text, records));

/** A linked container has another address now. */
export const updateHosts = (path: string, alias: string, address: string): boolean =>
  edit(path, (text) => withAddress(text, alias, address));

const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const hashPath = (path: string): string => `${path}.hash`;

/** true: the file differs from what `writeResolvConf` last wrote. */
export const userModified = (path: string): boolean => {
  const expected = readBounded(hashPath(path));
  if (expected === undefined) return false;
  const text = readBounded(path);
  return text === undefined ? existsSync(path) : digest(text) !== expected.trim();
};

/** Writes /etc/resolv.conf unless the user edited it; false: left alone. */
export const writeResolvConf = (path: string, text: string): boolean => {
  const expected = readBounded(hashPath(path));
  const wanted = digest(text);
  const present = readBounded(path);
  // What we wrote and still want: nothing to do, and no disk to wait for.
  if (present === text && expected?.trim() === wanted) return true;
  if (userModified(path)) return false;
  writeInPlace(path, text);
  const temporary = `${hashPath(path)}.new`;
  writeFileSync(temporary, wanted, { mode: MODE });
  renameSync(temporary, hashPath(path));
  return true;
};

const HOST_PATH = '/etc/resolv.conf';
/** systemd-resolved's list of real servers. */
const RESOLVED_PATH = '/run/systemd/resolve/resolv.conf';
const STUB = '127.0.0.53';

const load = (path: string): ResolvConf =>
  attempt(() => parseResolvConf(readFileSync(path, 'utf8'), path)) ?? { ...EMPTY_RESOLV_CONF, path };

/**
 * The host's file that a container's is made from. On the default bridge the stub of systemd-resolved cannot be reached,
 * so its real servers are taken; the embedded resolver asks the stub from the host's namespace.
 */
export const hostResolvConf = (mode: ResolvConfMode): ResolvConf => {
  const own = load(HOST_PATH);
  const stub = own.servers.length === 1 && own.servers[0] === STUB;
  return mode === 'legacy' && stub ? load(RESOLVED_PATH) : own;
};

/** /etc/hosts of the host, for `--network host` without `--add-host`; empty where it has none. */
export const hostHosts = (): string => readBounded('/etc/hosts') ?? '';

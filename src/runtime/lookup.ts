/** What one start needs to know of the container's files and the host's devices before its config can be computed. */
import { existsSync, lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.js';
import type { Container, MountPoint } from '../model/container.js';
import { readInside } from './inside.js';
import type { RequestedDevice } from './spec/devices.js';
import { type ResolvedUser, resolveUser } from './spec/user.js';

export const lookUpUser = (root: string, user: string, groupAdd: readonly string[]): ResolvedUser => {
  // Root by number needs no files: the common case stays free of them.
  if ((user === '' || user === '0' || user === '0:0') && groupAdd.length === 0)
    return resolveUser('', [], {
      passwd: 'root:x:0:0:root:/root:/bin/sh',
      group: readInside(root, '/etc/group'),
    });
  return resolveUser(user, groupAdd, {
    passwd: readInside(root, '/etc/passwd'),
    group: readInside(root, '/etc/group'),
  });
};

/** gnu_dev_major and gnu_dev_minor of glibc's sys/sysmacros.h, for what fits a JavaScript number. */
const numbersOf = (device: number): { major: number; minor: number } => ({
  major: (device >>> 8) & 0xfff,
  minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
});

const node = (stat: Stats, path: string, access: string): RequestedDevice => ({
  device: {
    path,
    type: stat.isBlockDevice() ? 'b' : 'c',
    ...numbersOf(stat.rdev),
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  },
  access,
});

const isDevice = (stat: Stats): boolean => stat.isBlockDevice() || stat.isCharacterDevice();

/** Device nodes of a directory and below; `skip` names entries at the top that every container has of its own. */
const devicesBelow = (
  source: string,
  target: string,
  access: string,
  skip: ReadonlySet<string> = new Set(),
): readonly RequestedDevice[] =>
  readdirSync(source)
    .filter((name) => !skip.has(name))
    .flatMap((name) => {
      const stat = lstatSync(join(source, name), { throwIfNoEntry: false });
      if (!stat) return [];
      if (isDevice(stat)) return [node(stat, join(target, name), access)];
      return stat.isDirectory() ? devicesBelow(join(source, name), join(target, name), access) : [];
    });

const OWN = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']);

const requested = (
  pathOnHost: string,
  pathInContainer: string,
  access: string,
): readonly RequestedDevice[] => {
  if (!existsSync(pathOnHost))
    throw invalid(
      `error gathering device information while adding custom device ${JSON.stringify(pathOnHost)}: no such file or directory`,
    );
  const source = realpathSync(pathOnHost);
  const stat = statSync(source);
  if (isDevice(stat)) return [node(stat, pathInContainer, access)];
  const inside = stat.isDirectory() ? devicesBelow(source, pathInContainer, access) : [];
  if (inside.length === 0)
    throw invalid(
      `error gathering device information while adding custom device ${JSON.stringify(pathOnHost)}: not a device node`,
    );
  return inside;
};

/** `--device`, and every device of the host for a privileged container. Throws invalid where one is none. */
export const lookUpDevices = (host: Container['hostConfig']): readonly RequestedDevice[] => {
  const named = (host.Devices ?? []).flatMap((each) =>
    requested(each.PathOnHost, each.PathInContainer || each.PathOnHost, each.CgroupPermissions || 'rwm'),
  );
  if (!host.Privileged) return named;
  const taken = new Set(named.map(({ device }) => device.path));
  return [
    ...named,
    ...devicesBelow('/dev', '/dev', 'rwm', OWN).filter(({ device }) => !taken.has(device.path)),
  ];
};

/** Sources of read-only mounts that are no directories. */
export const lookUpFiles = (mounts: readonly MountPoint[]): ReadonlySet<string> =>
  new Set(
    mounts
      .filter(({ rw, type }) => !rw && type !== 'tmpfs')
      .map(({ source }) => source)
      .filter((source) => statSync(source, { throwIfNoEntry: false })?.isDirectory() === false),
  );

/** What `-v`, `--mount`, `--tmpfs`, `--volumes-from` and an image's VOLUME make of a new container: its mount points. */
import { existsSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { invalid } from '../../errors.js';
import type { ContainerConfig, DockerMount, HostConfig, MountPoint } from '../../model/container.js';
import type { Outside } from '../parts.js';
import type { View } from '../view.js';

type Designing = Pick<View, 'model' | 'config'> & Pick<Outside, 'volumes'>;

const withoutSlash = (path: string): string => normalize(path).replace(/(.)\/$/, '$1');

const destinationOf = (path: string): string => {
  if (!isAbsolute(path))
    throw invalid(`invalid mount config: invalid mount path: '${path}' mount path must be absolute`);
  const clean = withoutSlash(path);
  if (clean === '/') throw invalid("invalid mount config: invalid specification: destination can't be '/'");
  return clean;
};

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
/** Of each group a mode may name one. */
const MODES: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['z', 'Z'],
  ['consistent', 'cached', 'delegated'],
  PROPAGATIONS,
  ['nocopy'],
];
/** A container that takes another's mounts takes their propagation too, and copies nothing. */
const INHERITED_MODES = MODES.slice(0, 3);

const checkModes = (text: string, groups: readonly (readonly string[])[]): readonly string[] => {
  const modes = text === '' ? [] : text.split(',');
  const once = groups.every((group) => modes.filter((mode) => group.includes(mode)).length <= 1);
  if (!once || modes.some((mode) => !groups.flat().includes(mode)))
    throw invalid(`invalid mode: ${text.slice(0, 64)}`);
  return modes;
};

/** A bind of a directory above our data would keep every container's root mounted: what is unmounted here goes there too. */
const propagationOf = (parts: Designing, source: string, asked: string): string => {
  const { dataRoot } = parts.config;
  const holds = source === dataRoot || `${dataRoot}/`.startsWith(source === '/' ? '/' : `${source}/`);
  if (!holds) return asked || 'rprivate';
  if (asked === '' || asked === 'rslave' || asked === 'rshared') return asked || 'rslave';
  throw invalid(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${asked}"`,
  );
};

type Common = Pick<MountPoint, 'destination' | 'mode' | 'rw'> & Partial<MountPoint>;

/** What each type of mount says of itself where there is something to say. */
const BLANK = { options: '', name: '', source: '', propagation: '', driver: '' } as const;

interface AskedVolume {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly driver: string;
}

const ANONYMOUS: AskedVolume = { name: '', labels: {}, options: {}, driver: 'local' };

const volumeMount = (parts: Designing, asked: AskedVolume, common: Common): MountPoint => {
  const { name, mountpoint: source } = parts.volumes.create(asked);
  return { ...BLANK, ...common, type: 'volume', driver: 'local', name, source };
};

/** `source:destination[:options]` of `-v`. */
const bindMount = (parts: Designing, text: string): MountPoint => {
  const [source = '', target = '', options = '', ...rest] = text.split(':');
  if (target === '' || rest.length > 0)
    throw invalid(`invalid volume specification: '${text.slice(0, 256)}'`);
  const destination = destinationOf(target);
  const modes = checkModes(options, MODES);
  const common = { destination, mode: options, rw: !modes.includes('ro') };
  if (!isAbsolute(source))
    return volumeMount(
      parts,
      { ...ANONYMOUS, name: source },
      { ...common, mode: options || 'z', ...(modes.includes('nocopy') ? { noCopy: true } : {}) },
    );
  const asked = modes.find((mode) => PROPAGATIONS.includes(mode)) ?? '';
  const from = withoutSlash(source);
  const propagation = propagationOf(parts, from, asked);
  return { ...BLANK, ...common, type: 'bind', source: from, propagation };
};

const faulty = (mount: DockerMount, why: string) =>
  invalid(`invalid mount config for type "${mount.Type}": ${why}`);

const tmpfsPoint = (mount: DockerMount, common: Common): MountPoint => {
  const size = mount.TmpfsOptions?.SizeBytes;
  const mode = mount.TmpfsOptions?.Mode;
  const options = [...(size ? [`size=${size}`] : []), ...(mode ? [`mode=${mode.toString(8)}`] : [])];
  if (mount.Source) throw faulty(mount, 'field Source must not be specified');
  return { ...BLANK, ...common, type: 'tmpfs', options: options.join(',') };
};

/** Below the volume, by its text; where links lead is seen when it is mounted. */
const isLocal = (path: string): boolean =>
  !isAbsolute(path) && !normalize(path).split('/').includes('..') && !path.includes('\0');

const volumePoint = (parts: Designing, mount: DockerMount, common: Common): MountPoint => {
  const { Labels = {}, DriverConfig = {}, NoCopy, Subpath = '' } = mount.VolumeOptions ?? {};
  const name = mount.Source ?? '';
  if (Subpath !== '' && name === '') throw faulty(mount, 'must not set Subpath when using anonymous volumes');
  if (Subpath !== '' && !isLocal(Subpath))
    throw faulty(mount, 'subpath must be a relative path within the volume');
  return volumeMount(
    parts,
    { name, labels: Labels, options: DriverConfig.Options ?? {}, driver: DriverConfig.Name || 'local' },
    {
      ...common,
      mode: 'z',
      ...(NoCopy ? { noCopy: true } : {}),
      ...(Subpath === '' ? {} : { subpath: normalize(Subpath) }),
    },
  );
};

const bindPoint = (parts: Designing, mount: DockerMount, common: Common): MountPoint => {
  const { Source: source = '', BindOptions: options = {} } = mount;
  if (source === '') throw faulty(mount, 'field Source must not be empty');
  if (!isAbsolute(source)) throw faulty(mount, `invalid mount path: '${source}' mount path must be absolute`);
  if (!existsSync(source) && options.CreateMountpoint !== true)
    throw faulty(mount, `bind source path does not exist: ${source}`);
  const { Propagation: asked = '', NonRecursive, ReadOnlyNonRecursive, ReadOnlyForceRecursive } = options;
  if (asked !== '' && !PROPAGATIONS.includes(asked))
    throw faulty(mount, `invalid propagation mode: ${asked}`);
  if (common.rw && (ReadOnlyNonRecursive || ReadOnlyForceRecursive))
    throw faulty(mount, 'mount options conflict: a writable mount cannot be recursively read-only or not');
  if (ReadOnlyNonRecursive && ReadOnlyForceRecursive)
    throw faulty(mount, 'mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive');
  return {
    ...BLANK,
    ...common,
    type: 'bind',
    source: withoutSlash(source),
    propagation: propagationOf(parts, withoutSlash(source), asked),
    ...(NonRecursive ? { nonRecursive: true } : {}),
    ...(ReadOnlyNonRecursive ? { readOnlyBelow: 'no' as const } : {}),
    ...(ReadOnlyForceRecursive ? { readOnlyBelow: 'must' as const } : {}),
  };
};

const structuredMount = (parts: Designing, mount: DockerMount): MountPoint => {
  const common = { destination: destinationOf(mount.Target), mode: '', rw: mount.ReadOnly !== true };
  if (mount.Type === 'tmpfs') return tmpfsPoint(mount, common);
  return mount.Type === 'volume' ? volumePoint(parts, mount, common) : bindPoint(parts, mount, common);
};

/** Not a 404: to clients that would mean that the image is missing, and they would pull it. */
const inheritedMounts = (parts: Designing, text: string): readonly MountPoint[] => {
  const colon = text.indexOf(':');
  const [name, mode] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  const rw = !checkModes(mode, INHERITED_MODES).includes('ro');
  const from = parts.model.findContainer(name);
  if (!from) throw invalid(`No such container: ${name}`);
  return from.mounts.map((mount) => ({ ...mount, mode: '', rw: mount.rw && rw, noCopy: true }));
};

/** What the user named outright may name each place once. */
const checkOnce = (points: readonly MountPoint[], taken: Iterable<string>): void => {
  const seen = new Set(taken);
  for (const { destination } of points) {
    if (seen.has(destination)) throw invalid(`Duplicate mount point: ${destination}`);
    seen.add(destination);
  }
};

/** Later ones win over earlier ones at one destination: inherited, `-v` and `--mount`; the image's come last. */
const resolveMounts = (
  parts: Designing,
  config: ContainerConfig,
  hostConfig: HostConfig,
): readonly MountPoint[] => {
  const tmpfs = new Set(Object.keys(hostConfig.Tmpfs ?? {}).map(destinationOf));
  const binds = (hostConfig.Binds ?? []).map((text) => bindMount(parts, text));
  checkOnce(binds, tmpfs);
  const given = [...binds, ...(hostConfig.Mounts ?? []).map((mount) => structuredMount(parts, mount))];
  checkOnce(given, []);
  const byDestination = new Map<string, MountPoint>();
  for (const text of hostConfig.VolumesFrom ?? [])
    for (const mount of inheritedMounts(parts, text)) byDestination.set(mount.destination, mount);
  for (const mount of given) byDestination.set(mount.destination, mount);
  for (const path of Object.keys(config.Volumes ?? {})) {
    const destination = destinationOf(path);
    if (byDestination.has(destination) || tmpfs.has(destination)) continue;
    byDestination.set(destination, volumeMount(parts, ANONYMOUS, { destination, mode: '', rw: true }));
  }
  return [...byDestination.values()].sort((a, b) => (a.destination < b.destination ? -1 : 1));
};

/** Volumes that were made for mounts of which a later one is refused are taken back. */
const withoutLeftovers = <T>(parts: Designing, work: () => T): T => {
  const known = new Set(parts.volumes.list().map((v) => v.name));
  try {
    return work();
  } catch (error) {
    for (const { name } of parts.volumes.list())
      if (!known.has(name)) parts.volumes.remove(name, true).catch(() => {}); // the caller is told of the mount
    throw error;
  }
};

/** May make volumes. Throws invalid. */
export const designMounts = (
  parts: Designing,
  config: ContainerConfig,
  hostConfig: HostConfig,
): readonly MountPoint[] => withoutLeftovers(parts, () => resolveMounts(parts, config, hostConfig));

/**
 * Volumes of the local driver: a directory each below the data root, with one small file that says what was asked for.
 *
 *   volumes/<name>/_data         what containers see
 *   volumes/<name>/volume.json   labels, options, creation; replaced whole (write, fsync, rename, fsync)
 *
 * Invariants: a name never leads out of the directory; nothing is deleted while anything is mounted below it, because
 * behind a mount is somebody's own data.
 */

import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, internal, invalid, notFound, refused, ViaductError } from '../../errors.js';
import { bytesBelow } from '../../files/size.js';
import { umountAlone } from '../../kernel/ffi.js';
import { isMounted, mountsBelow } from '../../kernel/mount-table.js';
import type { Volume } from '../../model/volume.js';
import type { Events } from '../events.js';
import { freshId } from '../fresh.js';
import { Locks } from '../locks.js';
import type { EngineVolumes } from '../parts.js';
import {
  checkMountOptions,
  type FindAddress,
  isDevice,
  isRemote,
  mountDevice,
  mountFailure,
  mountRemote,
  type RemoteMounts,
  withAddress,
} from './device.js';
import { writeDurably } from './durable.js';

export { copyUp } from './copy-up.js';

const METADATA = 'volume.json';
const DATA = '_data';
/** Names cannot begin with a dot, so this prefix is ours. */
const REMOVING = '.removing-';
const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

export interface VolumesOptions {
  readonly dataRoot: string;
  /** ids of the containers that mount the volume, running or not */
  readonly usedBy: EngineVolumes['usedBy'];
  readonly publish: Events['publish'];
  readonly warn?: (message: string) => void;
  /** of a host that is named in a device's options */
  readonly addressOf: FindAddress;
  readonly remote: RemoteMounts;
  /** Takes a directory that has left its name from the disk, in its own time. Default: at once. */
  readonly erase?: (directory: string) => void;
}

const eraseNow = (directory: string): void => rmSync(directory, { recursive: true, force: true });

/** Rejects at once when `signal` aborts; `work` then ends in its own time. */
const unlessAborted = (work: Promise<void>, signal: AbortSignal, reason: () => Error): Promise<void> =>
  new Promise((resolve, reject) => {
    const left = () => reject(reason());
    if (signal.aborted) left();
    signal.addEventListener('abort', left, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', left));
  });

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LONGEST_NAME = 255; // NAME_MAX, include/uapi/linux/limits.h

const nameFault = (name: string): string | undefined => {
  if (name.length === 1)
    return 'volume name is too short, names should be at least two alphanumeric characters';
  if (name.length > LONGEST_NAME)
    return `volume name is too long, names should be at most ${LONGEST_NAME} characters`;
  if (!NAME.test(name)) {
    return `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
  }
  return undefined;
};

type Stored = Omit<Volume, 'name' | 'driver' | 'mountpoint'>;

const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((each) => typeof each === 'string');

const parseStored = (text: string): Stored => {
  const value = JSON.parse(text) as Partial<Stored>; // checked field by field below
  const { createdAt, labels, options, anonymous } = value;
  if (
    typeof createdAt !== 'string' ||
    !isTexts(labels) ||
    !isTexts(options) ||
    typeof anonymous !== 'boolean'
  ) {
    throw new Error('fields are missing');
  }
  return { createdAt, labels, options, anonymous };
};

/** The metadata of a volume found on disk. A broken file is put aside, never silently taken for "no options". */
const readStored = (directory: string, warn: (message: string) => void): Stored => {
  const path = join(directory, METADATA);
  const createdAt = lstatSync(directory).birthtime.toISOString();
  if (!existsSync(path)) return { createdAt, labels: {}, options: {}, anonymous: false };
  try {
    return parseStored(readFileSync(path, 'utf8'));
  } catch (cause) {
    renameSync(path, `${path}.broken`);
    warn(
      `${path} could not be read (${String(cause)}): put aside as ${METADATA}.broken, its labels and options are lost`,
    );
    return { createdAt, labels: {}, options: {}, anonymous: false };
  }
};

export const createVolumes = ({
  dataRoot,
  usedBy,
  publish,
  addressOf,
  remote,
  warn = () => {},
  erase = eraseNow,
}: VolumesOptions): EngineVolumes => {
  const root = join(dataRoot, 'volumes');
  mkdirSync(root, { recursive: true, mode: 0o701 });
  const volumes = new Map<string, Volume>();
  const directoryOf = (name: string): string => join(root, name);

  const load = (): void => {
    for (const entry of readdirSync(root, { withFileTypes: true })) {
      const directory = directoryOf(entry.name);
      if (!entry.isDirectory()) continue;
      if (entry.name.startsWith('.'))
        erase(directory); // a removal that was cut short
      else if (existsSync(join(directory, DATA)))
        volumes.set(entry.name, volumeOf(entry.name, readStored(directory, warn)));
    }
  };
  const volumeOf = (name: string, stored: Stored): Volume => ({
    name,
    driver: 'local',
    mountpoint: join(directoryOf(name), DATA),
    ...stored,
  });
  const event = (action: string, volume: Volume, attributes: Readonly<Record<string, string>> = {}): void =>
    publish({
      type: 'volume',
      action,
      actor: { id: volume.name, attributes: { driver: 'local', ...attributes } },
    });

  const get = (name: string): Volume => {
    const volume = volumes.get(name);
    if (!volume) throw notFound(`get ${name}: no such volume`);
    return volume;
  };

  const create: EngineVolumes['create'] = ({ name: asked, driver, options, labels }) => {
    const anonymous = asked === '';
    const name = anonymous ? freshId<string>() : asked;
    if (driver !== '' && driver !== 'local') {
      throw notFound(
        `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    }
    const fault = nameFault(name) ?? checkMountOptions(options);
    if (fault !== undefined) throw invalid(`create ${name}: ${fault}`);
    const existing = volumes.get(name);
    if (existing) return existing;
    const volume = volumeOf(name, {
      createdAt: new Date().toISOString(),
      labels: anonymous ? { ...labels, [ANONYMOUS_LABEL]: '' } : labels,
      options,
      anonymous,
    });
    store(volume);
    volumes.set(name, volume);
    event('create', volume);
    return volume;
  };

  const store = ({ name, mountpoint, createdAt, labels, options, anonymous }: Volume): void => {
    const directory = directoryOf(name);
    try {
      mkdirSync(mountpoint, { recursive: true, mode: 0o755 });
      writeDurably(
        join(directory, METADATA),
        `${JSON.stringify({ createdAt, labels, options, anonymous })}\n`,
      );
    } catch (cause) {
      rmSync(directory, { recursive: true, force: true });
      throw internal(`error while creating volume root path '${directory}': ${String(cause)}`, cause);
    }
  };

  const checkUnused = (name: string): void => {
    const users = usedBy(name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
  };

  const remove: EngineVolumes['remove'] = async (name, force) => {
    const volume = volumes.get(name);
    if (!volume && force) return;
    if (!volume) throw notFound(`get ${name}: no such volume`);
    checkUnused(name);
    if (isDevice(volume.options)) {
      await detach(volume);
      if (volumes.get(name) !== volume) return; // somebody else has removed it meanwhile
      checkUnused(name);
    }
    discard(volume);
    event('destroy', volume);
  };

  /** A volume's device is mounted and unmounted one after the other. */
  const turns = new Locks();
  const detach = ({ name, mountpoint, options }: Volume): Promise<void> =>
    turns.run(name, async () => {
      if (!isMounted(mountpoint)) return;
      await (isRemote(options) ? remote.unmount(mountpoint) : umountAlone(mountpoint));
    });

  /** Out of sight by one rename, then deleted: a crash in between leaves nothing that looks like a volume. */
  const discard = (volume: Volume): void => {
    if (mountsBelow(directoryOf(volume.name)).length > 0)
      throw refused(`remove ${volume.name}: volume has active mounts`);
    const doomed = join(root, `${REMOVING}${freshId<string>().slice(0, 12)}`);
    renameSync(directoryOf(volume.name), doomed);
    volumes.delete(volume.name);
    erase(doomed);
  };

  const size: EngineVolumes['size'] = async (name) => {
    const { options, mountpoint } = get(name);
    return Object.keys(options).length > 0 ? -1 : ((await bytesBelow(mountpoint)) ?? -1);
  };

  const prune: EngineVolumes['prune'] = async (selected) => {
    const goes = (volume: Volume): boolean =>
      volumes.get(volume.name) === volume &&
      Object.keys(volume.options).length === 0 &&
      usedBy(volume.name).length === 0 &&
      selected(volume);
    const deleted: string[] = [];
    let bytes = 0;
    for (const volume of [...volumes.values()]) {
      if (!goes(volume)) continue;
      const freed = Math.max(0, await size(volume.name));
      if (!goes(volume)) continue; // somebody took it while it was measured
      try {
        discard(volume);
      } catch (error) {
        if (!(error instanceof ViaductError)) throw error;
        warn(error.message);
        continue;
      }
      event('destroy', volume);
      deleted.push(volume.name);
      bytes += freed;
    }
    return { deleted, bytes };
  };

  const ready: EngineVolumes['ready'] = (name, givenUp) => {
    const { options, mountpoint } = get(name);
    if (!isDevice(options)) return Promise.resolve();
    const mounting = turns.run(name, async () => {
      get(name);
      if (isMounted(mountpoint) || givenUp?.aborted) return;
      if (!isRemote(options)) return mountDevice(mountpoint, options);
      const addressed = await withAddress(mountpoint, options, addressOf, givenUp);
      await mountRemote(remote, mountpoint, addressed, givenUp);
    });
    const left = () => mountFailure(options, mountpoint, internal('context canceled'));
    return givenUp ? unlessAborted(mounting, givenUp, left) : mounting;
  };

  const directory: EngineVolumes['directory'] = (name) => {
    const { options, mountpoint } = get(name);
    if (!isDevice(options) || isMounted(mountpoint)) return mountpoint;
    throw mountFailure(options, mountpoint, 'it is not mounted any more');
  };

  const unmount: EngineVolumes['unmount'] = async (name) => {
    const volume = volumes.get(name);
    if (volume && isDevice(volume.options)) await detach(volume);
  };

  load();
  return {
    create,
    list: () => [...volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    get,
    remove,
    usedBy,
    size,
    prune,
    ready,
    directory,
    unmount,
  };
};

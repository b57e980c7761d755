/**
 * A tar stream laid out below a directory of a container. Every entry is placed through a descriptor of its own parent,
 * found inside the view: neither the archive's names nor links in the container, nor both together, reach outside.
 */
import { fstatSync, utimesSync } from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { internal, invalid } from '../errors.js';
import { SystemError } from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import { createPace, type Pace } from '../pace.js';
import { clearWay } from './clear.js';
import { writeContent } from './content.js';
import type { ExtractOptions, FileView } from './contract.js';
import { decompressed } from './decompress.js';
import { pathError } from './path-stat.js';
import { dress, type EntryType, type NewEntry, placeEntry } from './place.js';
import { readTar, type TarEntry } from './tar/read.js';
import {
  fromText,
  type OpenView,
  refuseReadOnly,
  resolve,
  type Spot,
  toText,
  withDirectory,
  withSpot,
  withView,
} from './view.js';

interface Place {
  readonly view: OpenView;
  /** the directory to extract into, links resolved, as a path in the container */
  readonly base: string;
  readonly options: ExtractOptions;
  readonly pace: Pace;
  /** Times of directories, set when everything is in them; by their paths in the container. */
  readonly times: Map<string, number>;
}

/** Without what leads up: a name in an archive is below the directory, whatever it says. */
const cleanName = (name: string): string => posix.join('/', name).replace(/\/+$/, '').slice(1);

const newEntry = (entry: TarEntry, type: EntryType, { owner }: ExtractOptions): NewEntry => ({
  ...entry,
  type,
  uid: owner?.uid ?? entry.uid,
  gid: owner?.gid ?? entry.gid,
  target: entry.linkname,
});

const hardLink = ({ view, base }: Place, entry: TarEntry, parent: Spot, name: string): void => {
  const target = cleanName(entry.linkname);
  withDirectory(view, `${base}/${posix.dirname(target)}`, (from) =>
    call.makeLink(from.fd, posix.basename(target), parent.fd, name),
  );
};

/** The archive's own directory: its time and mode are the archive's too, as in Docker. */
const dressDirectory = (place: Place, parent: Spot, name: string, entry: TarEntry): void => {
  const mount = place.view.mounts.get(`${parent.path}/${name}`);
  const fd = mount
    ? resolve(place.view, `${parent.path}/${name}`, { follow: false }).fd
    : call.openDirectory(parent.fd, name);
  call.closing(fd, () => dress(fd, newEntry(entry, 'directory', place.options), false));
};

const placeIn = async (
  place: Place,
  parent: Spot,
  name: string,
  entry: TarEntry,
  data: AsyncIterable<Buffer>,
): Promise<void> => {
  const path = `${parent.path}/${name}`;
  const isDirectory = entry.type === 'directory';
  if (isDirectory) place.times.set(path, entry.mtime);
  if (place.view.mounts.has(path)) {
    if (!isDirectory) throw internal(`${toText(path)}: device or resource busy`);
    return dressDirectory(place, parent, name, entry);
  }
  const { noOverwriteDirNonDir } = place.options;
  const clear = { noOverwriteDirNonDir, shown: entry.name };
  if (await clearWay(parent.fd, name, isDirectory, clear, place.pace))
    return dressDirectory(place, parent, name, entry);
  if (entry.type === 'link') return hardLink(place, entry, parent, name);
  await placeEntry(parent.fd, name, newEntry(entry, entry.type, place.options), (fd) =>
    writeContent(fd, data),
  );
};

const placeEach = async (place: Place, entry: TarEntry, data: AsyncIterable<Buffer>): Promise<void> => {
  const name = cleanName(entry.name);
  if (name === '') return;
  // Held open while the file's data arrive: nothing that happens to the path meanwhile matters.
  const into = async (parent: Spot): Promise<void> => {
    refuseReadOnly(place.view, parent);
    await placeIn(place, parent, posix.basename(name), entry, data);
  };
  await withDirectory(place.view, `${place.base}/${posix.dirname(name)}`, into, { make: true });
  if (place.pace.due()) await place.pace.rest();
};

/** One that is another thing by now, or gone, keeps the time it has. */
const setTimes = async ({ view, times, pace }: Place): Promise<void> => {
  for (const [path, time] of times) {
    try {
      const set = ({ fd }: Spot): void => utimesSync(call.descriptorPath(fd), time, time);
      withDirectory(view, path, set, { follow: false });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    if (pace.due()) await pace.rest();
  }
};

const READ_ONLY = {
  mount: 'mounted volume is marked read-only',
  root: 'container rootfs is marked read-only',
} as const;

/** Where to extract to. Throws invalid where that is no directory, or not to be written. */
const baseOf = (view: OpenView, path: string): string => {
  const check = (spot: Spot): string => {
    if (!fstatSync(spot.fd).isDirectory()) throw invalid('extraction point is not a directory');
    if (spot.mount?.readOnly) throw invalid(READ_ONLY.mount);
    if (!spot.mount && view.readOnly) throw invalid(READ_ONLY.root);
    return spot.path;
  };
  return withSpot(view, fromText(path), check);
};

/** Throws not-found where `path` is absent, invalid where it is no directory or the stream is no archive. */
export const extractTar = (
  fileView: FileView,
  path: string,
  tar: Readable,
  options: ExtractOptions,
): Promise<void> =>
  withView(fileView, async (view) => {
    try {
      const base = baseOf(view, path);
      const place: Place = { view, base, options, pace: createPace(), times: new Map() };
      for await (const { entry, data } of readTar(await decompressed(tar)))
        await placeEach(place, entry, data);
      await setTimes(place);
    } catch (error) {
      throw pathError(fileView, path, error);
    }
  });

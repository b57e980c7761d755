/** A tree in the order of a walk: directories before what is in them, links never followed, mounts of the view entered. */

import { closeSync, fstatSync, opendirSync, type Stats } from 'node:fs';
import { ENAMETOOLONG, ifThere } from '../errno.js';
import * as ffi from '../kernel/ffi.js';
import { descriptorPath } from '../kernel/file-calls.js';
import type { Pace } from '../pace.js';
import { type OpenView, openChild, type Spot } from './view.js';

/** One thing found; its descriptor is open for the consumer's turn alone. */
export interface Found extends Spot {
  readonly name: string;
  /** path below the directory that was walked */
  readonly relative: string;
  /** 0: directly in the directory that was walked */
  readonly depth: number;
  readonly stat: Stats;
}

/** A tree this deep is no honest one, and each level holds a descriptor open. */
export const MOST_LEVELS = 1_000;

/** Names in an open directory. A directory of a million names is read in slices too. */
export async function* namesIn(directory: number, pace: Pace): AsyncGenerator<string> {
  // Every byte of a name is one character. Node's type of the option does not know this encoding, its code does.
  const entries = opendirSync(descriptorPath(directory), { encoding: 'latin1', bufferSize: 256 });
  try {
    for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
      yield entry.name;
      if (pace.due()) await pace.rest();
    }
  } finally {
    entries.closeSync();
  }
}

async function* namesOf(view: OpenView, spot: Spot, pace: Pace): AsyncGenerator<string> {
  const mounted = view.mountsIn.get(spot.path) ?? [];
  yield* mounted;
  for await (const name of namesIn(spot.fd, pace)) if (!mounted.includes(name)) yield name;
}

const tooDeep = (depth: number): void => {
  if (depth > MOST_LEVELS) throw new ffi.SystemError('walk', ENAMETOOLONG, `more than ${MOST_LEVELS} levels`);
};

async function* below(
  view: OpenView,
  parent: Spot,
  relative: string,
  depth: number,
  pace: Pace,
): AsyncGenerator<Found> {
  tooDeep(depth);
  for await (const name of namesOf(view, parent, pace)) {
    const spot = ifThere(() => openChild(view, parent, name));
    if (!spot) continue; // it went meanwhile
    try {
      const found: Found = {
        ...spot,
        name,
        relative: relative === '' ? name : `${relative}/${name}`,
        depth,
        stat: fstatSync(spot.fd),
      };
      yield found;
      if (found.stat.isDirectory()) yield* below(view, spot, found.relative, depth + 1, pace);
    } finally {
      closeSync(spot.fd);
    }
  }
}

export const walk = (view: OpenView, directory: Spot, pace: Pace): AsyncGenerator<Found> =>
  below(view, directory, '', 0, pace);

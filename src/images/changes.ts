/** What a container changed against its image, for `docker diff`. */

import { sortedNames } from '../files/sorted.js';
import { toText } from '../files/view.js';
import { namesIn } from '../files/walk.js';
import { createPace, type Pace } from '../pace.js';
import { isWhiteout, type Level, namesBelow, seenBelow, type Written, writtenIn } from './written.js';

export interface Change {
  /** absolute inside the container */
  readonly Path: string;
  /** 0 modified, 1 added, 2 deleted */
  readonly Kind: 0 | 1 | 2;
}

/** A whiteout over nothing is left by a file made and deleted again: no change. */
const changeOf = ({ stat, lower, name, path }: Written): readonly Change[] => {
  const below = seenBelow(lower, name);
  const deletes = isWhiteout(stat);
  if (deletes && !below) return [];
  return [{ Path: `/${toText(path)}`, Kind: deletes ? 2 : below ? 0 : 1 }];
};

/** What was in a directory that was replaced by another of its name. */
const hidden = async (level: Level, path: string, pace: Pace): Promise<readonly Change[]> => {
  if (!level.opaque) return [];
  const here = new Set<string>();
  for await (const name of namesIn(level.upper, pace)) here.add(name);
  const gone = (await sortedNames(namesBelow(level.lower, pace), pace)).filter((name) => !here.has(name));
  return gone.map((name) => ({ Path: `/${toText(`${path}/${name}`)}`, Kind: 2 }));
};

/**
 * `lower`: the layers' directories, topmost first. In the order of a walk, names sorted; in a directory that was replaced, what
 * it had comes before what it has.
 */
export const changesIn = async (upper: string, lower: readonly string[]): Promise<readonly Change[]> => {
  const pace = createPace();
  const changes: Change[] = [];
  for await (const written of writtenIn(upper, lower, pace)) {
    changes.push(...changeOf(written));
    if (written.inside)
      for (const change of await hidden(written.inside, written.path, pace)) changes.push(change);
  }
  return changes;
};

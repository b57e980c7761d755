/** Filters of images (`dangling`, `label`, `reference`, …): which images a list or a prune means. Pure. */
import { invalid } from '../../errors.js';
import type { Image } from '../../model/image.js';
import type { Filters } from './filters.js';
import { compileGlob } from './glob.js';
import { milliseconds, parseUntil } from './time.js';

export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'];

/** `find` answers the image that `before` and `since` name, throwing where it is none. */
export const imageSelector = (
  filters: Filters,
  find: (reference: string) => Image,
  now: number,
): ((image: Image) => boolean) => {
  const created = (image: Image): number => milliseconds(image.createdAt);
  const before = Math.min(...filters.get('before').map((each) => created(find(each))));
  const since = Math.max(...filters.get('since').map((each) => created(find(each))));
  const untils = filters.get('until');
  const until = Math.min(...untils.map((each) => parseUntil(each, now)));
  const dangling = filters.boolean('dangling');
  const globs = filters.get('reference').map(globFor);
  return (image) =>
    (before === Number.POSITIVE_INFINITY || created(image) < before) &&
    (since === Number.NEGATIVE_INFINITY || created(image) > since) &&
    created(image) <= until &&
    (dangling === undefined || (image.tags.length === 0) === dangling) &&
    filters.labels('label', image.config.Labels) &&
    !(filters.has('label!') && filters.labels('label!', image.config.Labels)) &&
    (globs.length === 0 || globs.some((matches) => namesOf(image).some(matches)));
};

const globFor = (text: string): ((name: string) => boolean) => {
  const matches = compileGlob(text);
  if (matches === undefined)
    throw invalid(`invalid filter 'reference=${text.slice(0, 100)}': syntax error in pattern`);
  return matches;
};

/** A pattern may mean the whole reference or only the repository. */
const namesOf = (image: Image): readonly string[] =>
  [...image.tags, ...image.digests].flatMap((name) => [
    name,
    name.replace(/(?:@.{1,200}|:[\w.-]{1,128})$/, ''),
  ]);

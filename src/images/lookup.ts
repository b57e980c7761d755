/** Which image a user's word means, in Docker's order: full id, name, name@digest, then a prefix of an id. Pure. */
import { invalid, notFound, ViaductError } from '../errors.js';
import type { Catalogue, Entry } from './catalogue.js';
import { familiarText, fullText, parseReference, type Reference, withDefaultTag } from './reference.js';

const FULL_ID = /^(?:sha256:)?([0-9a-f]{64})$/;
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{1,64})$/;

const digitsOf = (text: string, pattern: RegExp): string | undefined =>
  text.length <= 71 ? pattern.exec(text)?.[1] : undefined;

const parsed = (text: string): Reference | undefined => {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (error instanceof ViaductError) return undefined;
    throw error;
  }
};

const byReference = (catalogue: Catalogue, reference: Reference): Entry | undefined => {
  const { name, digest } = reference;
  // with tag and digest the digest decides, as in Docker
  return catalogue.byName.get(digest ? `${name}@${digest}` : fullText(reference));
};

const byPrefix = (catalogue: Catalogue, digits: string): Entry | undefined => {
  const found = catalogue.entries.filter((entry) => entry.image.id.startsWith(`sha256:${digits}`));
  if (found.length > 1) throw invalid(`image reference ${digits} is ambiguous: several ids begin with it`);
  return found[0];
};

/** True where the word names the image by its id and not by a repository. */
export const isIdOf = (text: string, id: string): boolean =>
  text.length > 0 && (id.startsWith(text) || id.slice('sha256:'.length).startsWith(text));

export const findImage = (catalogue: Catalogue, text: string): Entry | undefined => {
  const full = digitsOf(text, FULL_ID);
  if (full) return catalogue.byId.get(`sha256:${full}`);
  const reference = parsed(text);
  const named = reference && byReference(catalogue, reference);
  if (named) return named;
  const digits = digitsOf(text, ID_PREFIX);
  return digits ? byPrefix(catalogue, digits) : undefined;
};

/** Throws invalid where the word is no reference, not-found `No such image: X` where nothing has it. */
export const resolveImage = (catalogue: Catalogue, text: string): Entry => {
  const entry = findImage(catalogue, text);
  if (entry) return entry;
  if (digitsOf(text, ID_PREFIX) && text.startsWith('sha256:')) throw notFound(`No such image: ${text}`);
  if (digitsOf(text, FULL_ID)) throw notFound(`No such image: sha256:${text}`);
  throw notFound(`No such image: ${familiarText(withDefaultTag(parseReference(text)))}`);
};

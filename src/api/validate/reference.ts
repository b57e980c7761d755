/** Names of images, by the grammar of distribution/reference. */
import { invalid } from '../../errors.js';

/** Not `[::1]:5000`: skopeo, which pulls, reads no IPv6 address there. */
const DOMAIN = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?(?::\d{1,5})?$/;
/** separators: one dot, one or two underscores, any number of dashes */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]{0,31}(?:[+._-][A-Za-z][A-Za-z0-9]{0,31}){0,3}:[0-9a-fA-F]{32,128}$/;
/** NameTotalLengthMax of distribution/reference */
const LONGEST_NAME = 255;

export interface Reference {
  readonly name: string;
  /** empty where none was given */
  readonly tag: string;
  readonly digest: string;
}

/** Throws invalid `invalid reference format…`. */
export const parseReference = (text: string): Reference => {
  if (text.length > LONGEST_NAME + 300)
    throw invalid('invalid reference format: repository name must not be more than 255 characters');
  const at = text.indexOf('@');
  const digest = at < 0 ? '' : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const name = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? '' : rest.slice(colon + 1);
  checkName(name);
  if ((colon >= 0 && !TAG.test(tag)) || (at >= 0 && !DIGEST.test(digest)))
    throw invalid('invalid reference format');
  return { name, tag, digest };
};

const checkName = (name: string): void => {
  if (name.length > LONGEST_NAME) {
    throw invalid('invalid reference format: repository name must not be more than 255 characters');
  }
  const parts = name.split('/');
  const first = parts[0] ?? '';
  const hasDomain =
    parts.length > 1 &&
    (first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase());
  const path = hasDomain ? parts.slice(1) : parts;
  if (hasDomain && !DOMAIN.test(first)) throw invalid('invalid reference format');
  for (const component of path) {
    if (COMPONENT.test(component)) continue;
    throw invalid(
      COMPONENT.test(component.toLowerCase())
        ? `invalid reference format: repository name (${path.length === 1 && !hasDomain ? `library/${name}` : path.join('/')}) must be lowercase`
        : 'invalid reference format',
    );
  }
};

/** A name and, in a parameter of its own, a tag or digest. Empty name: empty. Throws invalid. */
export const joinReference = (name: string, tag: string): string => {
  if (name === '') return '';
  const joined = tag === '' ? name : `${withoutTag(name)}${DIGEST.test(tag) ? '@' : ':'}${tag}`;
  parseReference(joined);
  return joined;
};

const withoutTag = (name: string): string => {
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon < 0 ? name : name.slice(0, colon);
};

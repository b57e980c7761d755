/**
 * Image references as Docker reads them: `[domain[:port]/]path[:tag][@digest]`, with `docker.io/library/` implied and
 * left out again when shown. Pure and strict; lengths are checked before any regular expression runs.
 */
import { invalid } from '../errors.js';

export interface Reference {
  /** full repository, e.g. `docker.io/library/busybox` */
  readonly name: string;
  /** empty: none given */
  readonly tag: string;
  /** `sha256:…`; empty: none given */
  readonly digest: string;
}

const DEFAULT_DOMAIN = 'docker.io';
const OFFICIAL = 'library/';
/** distribution's limits: 255 characters of repository; a tag has at most 128, a digest here 64 hex digits. */
const MAX_NAME = 255;
const MAX_TEXT = MAX_NAME + 1 + 128 + 1 + 7 + 64;

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
/** Not `[::1]:5000`: skopeo 1.9 reads no IPv6 address there. */
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*(?::[0-9]+)?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HEX64 = /^[0-9a-f]{64}$/;

const malformed = () => invalid('invalid reference format');

/** Cuts `@digest` and `:tag` off; a colon before the last slash belongs to a port. */
const cut = (text: string): { readonly path: string; readonly tag?: string; readonly digest?: string } => {
  const at = text.indexOf('@');
  const bare = at < 0 ? text : text.slice(0, at);
  const colon = bare.lastIndexOf(':');
  const hasTag = colon > bare.lastIndexOf('/');
  return {
    path: hasTag ? bare.slice(0, colon) : bare,
    ...(hasTag ? { tag: bare.slice(colon + 1) } : {}),
    ...(at < 0 ? {} : { digest: text.slice(at + 1) }),
  };
};

/** The first component is a registry when it could not be a user's name: a dot, a port, `localhost`, upper case. */
const splitDomain = (path: string): readonly [domain: string, remote: string] => {
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(slash, 0));
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isDomain ? first : DEFAULT_DOMAIN;
  const remote = isDomain ? path.slice(slash + 1) : path;
  const canonical = domain === 'index.docker.io' ? DEFAULT_DOMAIN : domain;
  const official = canonical === DEFAULT_DOMAIN && !remote.includes('/');
  return [canonical, official ? OFFICIAL + remote : remote];
};

/** Throws invalid with Docker's text. */
export const parseReference = (text: string): Reference => {
  if (text.length === 0 || text.length > MAX_TEXT) throw malformed();
  const { path, tag, digest } = cut(text);
  if (HEX64.test(path))
    throw invalid(`invalid repository name (${path}), cannot specify 64-byte hexadecimal strings`);
  const [domain, remote] = splitDomain(path);
  if (remote !== remote.toLowerCase())
    throw invalid(`invalid reference format: repository name (${remote}) must be lowercase`);
  const name = `${domain}/${remote}`;
  if (!DOMAIN.test(domain) || !remote.split('/').every((component) => COMPONENT.test(component)))
    throw malformed();
  if (tag !== undefined && !TAG.test(tag)) throw malformed();
  if (digest !== undefined && !DIGEST.test(digest)) throw malformed();
  if (name.length > MAX_NAME) throw invalid('repository name must not be more than 255 characters');
  return { name, tag: tag ?? '', digest: digest ?? '' };
};

/** A name and, in a parameter of its own, a tag or digest, as one text; empty without a name. Throws invalid. */
export const joinReference = (name: string, tag: string): string => {
  if (name === '') return '';
  const untagged = name.includes('@') ? name : cut(name).path;
  const joined = tag === '' ? name : `${untagged}${DIGEST.test(tag) ? '@' : ':'}${tag}`;
  parseReference(joined);
  return joined;
};

/** With `latest` where neither tag nor digest was given. */
export const withDefaultTag = (reference: Reference): Reference =>
  reference.tag || reference.digest ? reference : { ...reference, tag: 'latest' };

/** For people: `busybox`, `user/app`, `registry:5000/app`. */
export const familiarName = (name: string): string => {
  if (!name.startsWith(`${DEFAULT_DOMAIN}/`)) return name;
  const remote = name.slice(DEFAULT_DOMAIN.length + 1);
  const rest = remote.slice(OFFICIAL.length);
  return remote.startsWith(OFFICIAL) && !rest.includes('/') ? rest : remote;
};

const suffix = (reference: Reference): string =>
  (reference.tag && `:${reference.tag}`) + (reference.digest && `@${reference.digest}`);

export const fullText = (reference: Reference): string => reference.name + suffix(reference);
export const familiarText = (reference: Reference): string =>
  familiarName(reference.name) + suffix(reference);

/** Host and port of the registry. */
export const registryOf = (reference: Reference): string =>
  reference.name.slice(0, reference.name.indexOf('/'));

/** Repository below the registry, as the registry knows it: `library/busybox`. */
export const repositoryOf = (reference: Reference): string =>
  reference.name.slice(reference.name.indexOf('/') + 1);

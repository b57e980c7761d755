/**
 * The router: from the method and path of a request to its handler. Literal paths win over patterns, patterns of
 * what the path begins with (`/networks/…`) are tried in the order given, then those that begin with a name; `:name` matches
 * across slashes, because names of images contain them.
 */
import { invalid, notFound } from '../../errors.js';
import type { Handler } from './exchange.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';

export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly handle: Handler;
  /** takes the connection over when the client asks for `Upgrade: tcp` */
  readonly hijacks: boolean;
}

export const route = (method: Method, path: string, handle: Handler): Route => ({
  method,
  path,
  handle,
  hijacks: false,
});

export const hijackingRoute = (method: Method, path: string, handle: Handler): Route => ({
  method,
  path,
  handle,
  hijacks: true,
});

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  /** `1.41` of `/v1.41/…`; undefined: unversioned */
  readonly version: string | undefined;
}

interface Pattern {
  readonly route: Route;
  readonly expression: RegExp;
  readonly names: readonly string[];
}

/** Longer paths are not worth matching; names and ids stay far below. */
const LONGEST_PATH = 8192;
const VERSIONED = /^\/v(\d[0-9.]{0,15})(\/.*)$/s;

export interface Router {
  /** Throws not-found `page not found`, and invalid for a path that cannot be decoded. */
  match(method: string, path: string): Match;
}

export const createRouter = (routes: readonly Route[]): Router => {
  const literals = new Map<string, Route>();
  const patterns = new Map<string, Pattern[]>();
  for (const each of routes) {
    if (!each.path.includes(':')) literals.set(`${each.method} ${each.path}`, each);
    else {
      const key = `${each.method} ${headOf(each.path)}`;
      patterns.set(key, [...(patterns.get(key) ?? []), compile(each)]);
    }
  }
  return {
    match(method, rawPath) {
      const { version, path } = splitVersion(decode(rawPath));
      const literal = literals.get(`${method} ${path}`);
      if (literal !== undefined) return { route: literal, params: {}, version };
      for (const head of [headOf(path), ANY])
        for (const pattern of patterns.get(`${method} ${head}`) ?? []) {
          const found = pattern.expression.exec(path);
          if (found !== null) return { route: pattern.route, params: named(pattern, found), version };
        }
      throw notFound('page not found');
    },
  };
};

const ANY = ':';
/** `networks` of `/networks/web`; `ANY` of a pattern that begins with a name. */
const headOf = (path: string): string => {
  const end = path.indexOf('/', 1);
  const head = path.slice(1, end < 0 ? undefined : end);
  return head.startsWith(ANY) ? ANY : head;
};

const compile = (route: Route): Pattern => {
  const names: string[] = [];
  const source = route.path.replace(/:([a-z]+)|[.*+?^${}()|[\]\\]/g, (text, name?: string) => {
    if (name === undefined) return `\\${text}`;
    names.push(name);
    return '(.+)';
  });
  return { route, expression: new RegExp(`^${source}$`, 's'), names };
};

const named = (pattern: Pattern, found: RegExpExecArray): Readonly<Record<string, string>> =>
  Object.fromEntries(pattern.names.map((name, i) => [name, found[i + 1] ?? '']));

const decode = (rawPath: string): string => {
  if (rawPath.length > LONGEST_PATH) throw notFound('page not found');
  try {
    return decodeURIComponent(rawPath);
  } catch (cause) {
    throw invalid('invalid URL escape in the path', cause);
  }
};

const splitVersion = (path: string): { version: string | undefined; path: string } => {
  const found = VERSIONED.exec(path);
  return found === null ? { version: undefined, path } : { version: found[1], path: found[2] ?? '/' };
};

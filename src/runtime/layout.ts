/**
 * Where the runtime keeps what: one directory a container (bundle, conmon's sockets, our record), and beside them
 * what all share. All of it is volatile and lies on a tmpfs.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Layout {
  readonly bundle: (id: string) => string;
  /** conmon writes `<exits>/<id>` when a container has ended */
  readonly exits: string;
  /** the OCI runtime's `--root` */
  readonly states: string;
  /** compiled seccomp filters, base64, named by the digest of their profile */
  readonly filters: string;
  /** sockets over which the OCI runtime hands us an exec's terminal */
  readonly consoles: string;
  /** what a container that is being made is made of (`hand-over.ts`) */
  readonly hand: string;
  /** the directory of a container's log */
  readonly logs: (id: string) => string;
  readonly log: (id: string) => string;
}

export const layoutOf = (stateDir: string, logDir: (id: string) => string): Layout => ({
  bundle: (id) => join(stateDir, id),
  exits: join(stateDir, '.exits'),
  states: join(stateDir, '.states'),
  filters: join(stateDir, '.seccomp'),
  consoles: join(stateDir, '.tty'),
  hand: join(stateDir, '.hand'),
  logs: logDir,
  log: (id) => join(logDir(id), 'container.log'),
});

export const makeLayout = (layout: Layout): void => {
  const { exits, states, filters, consoles, hand } = layout;
  for (const directory of [exits, states, filters, consoles, hand])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
};

/** The containers that have a bundle. */
export const idsIn = (layout: Layout): readonly string[] =>
  readdirSync(dirname(layout.bundle('any'))).filter((name) => !name.startsWith('.'));

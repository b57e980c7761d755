/** What the parts of the runtime share: places, machine, cgroups, exits, and the records of running containers. */
import { conflict } from '../errors.js';
import type { Trash } from '../kernel/trash.js';
import type { Logger } from '../log.js';
import type { Cgroups } from './cgroups.js';
import type { Exits } from './exits.js';
import type { HandOver } from './hand-over.js';
import type { Layout } from './layout.js';
import type { Machine } from './machine.js';
import type { MigrationWarmer } from './migration.js';
import { type ContainerRecord, readRecord, writeRecord } from './record.js';
import type { SeccompCache } from './seccomp-cache.js';

/** Milliseconds. */
export interface Limits {
  /** for the OCI runtime to make a container, or a process in one; it takes 30 ms, a few seconds on a machine in need */
  readonly create: number;
}

export const LIMITS: Limits = { create: 120_000 };

export interface Context {
  readonly limits: Limits;
  readonly layout: Layout;
  readonly machine: Machine;
  readonly cgroups: Cgroups;
  readonly exits: Exits;
  readonly seccomp: SeccompCache;
  readonly records: Records;
  readonly logger: Pick<Logger, 'warn'>;
  readonly migration: MigrationWarmer;
  readonly handOver: HandOver;
  readonly trash: Trash;
}

export interface Records {
  get(id: string): ContainerRecord | undefined;
  /** Throws conflict `Container X is not running`. */
  need(id: string): ContainerRecord;
  set(id: string, record: ContainerRecord): void;
  /** And the whole bundle that it is in. */
  remove(id: string): void;
  /** The container whose first process has this pid. */
  idOf(pid: number): string | undefined;
}

export const recordsOf = (layout: Layout, trash: Trash): Records => {
  const known = new Map<string, ContainerRecord>();
  const get = (id: string): ContainerRecord | undefined => {
    const record = known.get(id) ?? readRecord(layout, id);
    if (record) known.set(id, record);
    return record;
  };
  return {
    get,
    need: (id) => {
      const record = get(id);
      if (!record) throw conflict(`Container ${id} is not running`);
      return record;
    },
    set: (id, record) => {
      writeRecord(layout, id, record);
      known.set(id, record);
    },
    remove: (id) => {
      known.delete(id);
      trash.remove(layout.bundle(id));
    },
    idOf: (pid) => [...known].find(([, record]) => record.process.pid === pid)?.[0],
  };
};

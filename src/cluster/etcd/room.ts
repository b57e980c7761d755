/**
 * Room on the disk for what etcd writes. etcd ends where a write finds none, and without a write it lives and answers: so none is sent to
 * it, and none is started, while there is less than it sets aside for itself.
 */
import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { attempt } from '../../errors.js';
import type { Etcd } from './contract.js';
import { EtcdError } from './failure.js';

/** Bytes that etcd sets aside for the next segment of its log (`wal.SegmentSizeBytes`). */
export const LEAST_ROOM = 64 * 1024 * 1024;

/** Of the disk that the directory is on, or will be; bytes that root may use. Undefined: nobody knows. */
const roomAt = (directory: string): number | undefined => {
  let path = directory;
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path);
  const found = attempt(() => statfsSync(path));
  return found && found.bfree * found.bsize;
};

/** Why nothing can be written, and what to do; undefined: there is room. */
export const lacksRoom = (directory: string, room = roomAt): string | undefined => {
  const bytes = room(directory);
  if (bytes === undefined || bytes >= LEAST_ROOM) return undefined;
  const [left, least] = [bytes, LEAST_ROOM].map((each) => Math.floor(each / 1_048_576));
  return `the disk of this manager is full: ${left} MiB are left at ${directory}, and the swarm's store needs ${least}. Nothing of the swarm can be changed by this manager until there is room; what runs goes on`;
};

/** The same store, but for writes while there is no room: those throw `disk-full`, and nothing was sent. */
export const withRoom = <E extends Etcd>(etcd: E, lacks: () => string | undefined): E => {
  const guarded =
    <Args extends readonly unknown[], T>(work: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const why = lacks();
      if (why !== undefined) throw new EtcdError({ kind: 'disk-full' }, why);
      return work(...args);
    };
  return {
    ...etcd,
    put: guarded(etcd.put),
    delete: guarded(etcd.delete),
    txn: guarded(etcd.txn),
    grantLease: guarded(etcd.grantLease),
    compact: guarded(etcd.compact),
  };
};

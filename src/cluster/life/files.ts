/**
 * What a node keeps of its cluster on the disk, below `DATA-ROOT/swarm`: who it is and where (`state.json`), its certificate and key,
 * whom it trusts (its keys: keys.ts). Invariants: everything is 0600 in a directory of 0700; a file is replaced whole or not at all. What
 * there is of etcd and Serf is theirs.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { attempt } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { shown } from '../../model/address.js';
import { type Keys, openKeys } from './keys.js';
import type { Layout } from './layout.js';
import { readText, writeWhole } from './whole.js';

const address = z.string().max(300);
const stateSchema = z.object({
  version: z.literal(1),
  clusterId: z.string(),
  nodeId: z.string(),
  role: z.enum(['worker', 'manager']),
  /** `host:port` */
  listen: address,
  advertise: address,
  /** bare; empty: that of `advertise` */
  dataPath: address,
  managers: z.array(z.object({ id: z.string(), address })),
  /** base64, the one to send by in front */
  gossipKeys: z.array(z.string()),
  /** `docker swarm init` was not answered yet: a daemon that ends by then has no cluster */
  founding: z.literal(true).exactOptional(),
});
export type SavedState = z.infer<typeof stateSchema>;

export interface NodeFiles {
  readonly at: Layout;
  readonly keys: Keys;
  /** undefined: in no cluster. Throws where there is one that cannot be read. */
  state(): SavedState | undefined;
  saveState(state: SavedState): void;
  credentials(): { readonly key: string; readonly certificate: string; readonly authorities: string };
  /** Both or neither, also where the disk is full or the daemon dies; etcd reads them at any moment. */
  saveCertificate(certificate: string, authorities: string, key?: string): void;
  saveAuthorities(authorities: string): void;
  dataKey(): Buffer | undefined;
  saveDataKey(key: Buffer): void;
  /** the lease that the former daemon held */
  lease(): string | undefined;
  saveLease(lease: string): void;
  /** There is something of etcd's. */
  hasEtcd(): boolean;
  forgetEtcd(): void;
  /** Nothing is left of the cluster. */
  clear(): void;
}

const isPair = (key: string, certificate: string): boolean =>
  attempt(() => new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) ?? false;

export const nodeFiles = (at: Layout): NodeFiles => {
  const make = (): void => {
    for (const directory of [at.directory, at.run]) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chmodSync(directory, 0o700);
    }
  };
  const must = (path: string): string => {
    const text = readText(path);
    if (text === undefined) throw new Error(`${path} cannot be read`);
    return text;
  };
  const keys = openKeys(at);
  /** A daemon died between a key and its certificate, or the disk was full: the key that is open decides which certificate it is. */
  const settlePair = (): void => {
    const next = readText(at.nextCertificate);
    const key = next === undefined ? undefined : keys.read('node.key');
    if (next === undefined || key === undefined) return;
    keys.write('node.key', key); // the one on the disk may be the other
    if (isPair(key, next)) renameSync(at.nextCertificate, at.certificate);
    else rmSync(at.nextCertificate, { force: true });
  };
  return {
    at,
    keys,
    state() {
      const text = readText(at.state);
      if (text === undefined) {
        if (existsSync(at.state)) throw new Error(`${at.state} cannot be read`);
        return undefined;
      }
      try {
        return stateSchema.parse(JSON.parse(text));
      } catch (cause) {
        throw new Error(`${at.state} is damaged: ${shown(String(cause))}`, { cause });
      }
    },
    saveState(state) {
      make();
      // The gossip's keys are the cluster's secret too: with a lock they come with the next session.
      writeWhole(at.state, JSON.stringify(keys.isLocking() ? { ...state, gossipKeys: [] } : state));
    },
    credentials() {
      attempt(settlePair); // on a full disk at another time: what is there fits together
      return {
        key: keys.read('node.key') ?? must(keys.path('node.key')),
        certificate: must(at.certificate),
        authorities: must(at.trust),
      };
    },
    saveCertificate(certificate, authorities, key) {
      make();
      writeWhole(at.trust, authorities);
      if (key === undefined) return writeWhole(at.certificate, certificate);
      writeWhole(at.nextCertificate, certificate);
      failpoint('certificate-written');
      keys.write('node.key', key);
      failpoint('key-written');
      renameSync(at.nextCertificate, at.certificate);
    },
    saveAuthorities: (authorities) => writeWhole(at.trust, authorities),
    dataKey() {
      const text = keys.read('data.key');
      return text === undefined ? undefined : Buffer.from(text, 'base64');
    },
    saveDataKey(key) {
      make();
      keys.write('data.key', key.toString('base64'));
    },
    lease: () => readText(at.lease),
    saveLease: (lease) => writeWhole(at.lease, lease),
    hasEtcd: () => existsSync(join(at.etcdData, 'member')),
    forgetEtcd() {
      rmSync(at.etcdData, { recursive: true, force: true });
      keys.remove('data.key');
    },
    clear() {
      rmSync(at.state, { force: true }); // first: what is left without it is nobody's
      for (const path of [at.directory, at.run]) rmSync(path, { recursive: true, force: true });
    },
  };
};

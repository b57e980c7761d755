/**
 * Members of a real etcd cluster on this machine, each behind a door of its own on an address of the loopback, as managers of a
 * swarm have them. For tests that have the loopback to themselves (the kernel lane's namespaces).
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, generateKey, issue, requestCertificate } from '../../src/cluster/ca/authority.js';
import type { Authority, Role } from '../../src/cluster/ca/contract.js';
import type { Door, DoorTls } from '../../src/cluster/door/contract.js';
import { openDoor } from '../../src/cluster/door/mux.js';
import { createEtcdClient, type EtcdClient } from '../../src/cluster/etcd/client.js';
import type { Beginning, EtcdProcess, EtcdSettings } from '../../src/cluster/etcd/contract.js';
import { forceNewCluster, peerUrl, startEtcd } from '../../src/cluster/etcd/process.js';
import { findPrograms } from '../../src/cluster/programs.js';
import { until } from './run.js';

const DAY = 86_400_000;
export const DOOR_PORT = 2377;

export interface TestMember {
  readonly settings: EtcdSettings;
  readonly door: Door;
  readonly client: EtcdClient;
  readonly tls: DoorTls;
  process(): EtcdProcess;
  start(begin: Beginning): Promise<void>;
  forceNew(): Promise<void>;
}

export interface TestMembers {
  readonly base: string;
  readonly authority: Authority;
  /** What a node of this role and address would have. */
  tls(role: Role, host: string): DoorTls;
  /** Opens its door and starts it; `n` is the last number of its address. */
  start(n: number, begin: Beginning, more?: Partial<EtcdSettings>): Promise<TestMember>;
  remove(): Promise<void>;
}

export const createMembers = (): TestMembers => {
  const base = mkdtempSync('/tmp/ve-');
  const authority = createAuthority(Date.now());
  const { etcd: program } = findPrograms();
  const closing: (() => Promise<void>)[] = [];

  const tls = (role: Role, host: string): DoorTls => {
    const key = generateKey();
    const nodeId = `node${host.replaceAll(/\W/g, '')}`;
    const of = { nodeId, role, clusterId: 'c1', addresses: [host], now: Date.now(), validFor: DAY };
    return { key, certificate: issue(authority, requestCertificate(key), of), trust: authority.certificate };
  };

  const start = async (
    n: number,
    begin: Beginning,
    more: Partial<EtcdSettings> = {},
  ): Promise<TestMember> => {
    const host = `127.0.0.${n}`;
    const directory = join(base, String(n));
    mkdirSync(directory, { mode: 0o700 });
    const own = tls('manager', host);
    const files = {
      certificate: join(directory, 'cert.pem'),
      key: join(directory, 'key.pem'),
      trust: join(directory, 'trust.pem'),
    };
    for (const [file, text] of [
      [files.certificate, own.certificate],
      [files.key, own.key],
      [files.trust, own.trust],
    ] as const)
      writeFileSync(file, text, { mode: 0o600 });
    const settings: EtcdSettings = {
      name: `m${n}`,
      clusterToken: 'c1',
      dataDirectory: join(directory, 'data'),
      runDirectory: join(directory, 'run'),
      logFile: join(directory, 'etcd.log'),
      advertise: { host, port: DOOR_PORT },
      files,
      ...more,
    };
    let running: EtcdProcess | undefined;
    const door = await openDoor({
      listen: [settings.advertise],
      tls: own,
      peers: () => running?.peers,
      session: ({ socket }) => socket.destroy(),
    });
    closing.push(() => door.close());
    running = await startEtcd(program, settings, begin);
    const client = createEtcdClient({ endpoints: [running.client] });
    closing.push(async () => {
      client.close();
      await running?.stop();
    });
    return {
      settings,
      door,
      client,
      tls: own,
      process: () => running as EtcdProcess, // started above
      start: async (again) => {
        running = await startEtcd(program, settings, again);
      },
      forceNew: async () => {
        running = await forceNewCluster(program, running, settings);
      },
    };
  };

  return {
    base,
    authority,
    tls,
    start,
    remove: async () => {
      await Promise.all(closing.map((close) => close()));
      rmSync(base, { recursive: true, force: true });
    },
  };
};

/** Adds a member to the cluster of `first`, which has all that `members` are. */
export const joinMember = async (all: TestMembers, first: EtcdClient, n: number): Promise<TestMember> => {
  const url = peerUrl({ advertise: { host: `127.0.0.${n}`, port: DOOR_PORT } });
  const added = await first.addLearner(url);
  const members = (await first.members()).map(
    ({ id, name, peerUrls }) => [id === added.id ? `m${n}` : name, peerUrls[0] ?? ''] as const,
  );
  const member = await all.start(n, { kind: 'join', members });
  await first.promote(added.id);
  // It hears of it a moment later, and answers nobody before.
  await until(`m${n} is a member`, async () => !(await member.client.status()).learner);
  return member;
};

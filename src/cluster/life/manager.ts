/**
 * A manager, running: etcd's member on this machine, the mirror, the lease, the door with its sessions, and what leads when it is this
 * one's turn. Started from what is on the disk, whether the cluster is new or this daemon only follows another one.
 */
import { connect } from 'node:net';
import type { Logger } from '../../log.js';
import type { Manager, SwarmStatus } from '../contract.js';
import type { Door } from '../door/contract.js';
import { openDoor } from '../door/mux.js';
import { createEtcdClient, type EtcdClient } from '../etcd/client.js';
import type { Beginning, EtcdProcess, EtcdSettings, LeaseId } from '../etcd/contract.js';
import { holdLease } from '../etcd/lease.js';
import { adoptEtcd, forceNewCluster, startEtcd } from '../etcd/process.js';
import { type Office, runForOffice } from '../lead.js';
import { createMirror, type Mirror, type RecordChange } from '../mirror/index.js';
import { LEADER, MANAGER } from '../mirror/keys.js';
import { findPrograms } from '../programs.js';
import { createAssigning } from '../session/assigning.js';
import type { ManagerAddress } from '../session/protocol.js';
import { createSessions, type Sessions } from '../session/server.js';
import { noQuorum } from '../words.js';
import { bindHost, splitPlace } from './addresses.js';
import { createAttachments } from './attachments.js';
import { createCommands } from './commands.js';
import { Epochs } from './epochs.js';
import type { NodeFiles, SavedState } from './files.js';
import { handOver, handOverEtcd } from './hand-over.js';
import { lead } from './leading.js';
import type { NetworkRules } from './networks.js';
import { createReception } from './reception.js';
import { createRegister } from './register.js';
import { createReports } from './reports.js';
import { type ClusterSecrets, openBlob, openSecrets } from './secrets.js';
import { createStore } from './store.js';
import { viewCluster } from './view.js';

/** milliseconds: a manager that does not take a connection within it does not answer */
const REACH_MS = 700;
const JOINED_PAUSE_MS = 100;
/** A manager that is silent for so long is not there any more, and leads no more; `ttl` in seconds. */
const LEASE = { ttl: 10, everyMs: 3_000 } as const;

export interface ManagerSettings {
  readonly files: NodeFiles;
  readonly rules: NetworkRules;
  readonly saved: SavedState;
  readonly beginning: Beginning;
  /** of a new cluster, or one that begins anew: writes what comes before all else */
  readonly found?: (etcd: EtcdClient) => Promise<void>;
  readonly log: Logger;
  readonly now: () => number;
  /** nodes that do not answer, as Serf says */
  readonly failed: ReadonlySet<string>;
  /** Told of each change of records. Must not throw. */
  readonly changed: (changes: readonly RecordChange[], mirror: Mirror) => void;
  /** The cluster's store answers, or does not. Must not throw. */
  readonly heard: (answers: boolean) => void;
  /** etcd has ended, and not by us: this node is no member any more, or etcd failed. */
  readonly ended: () => void;
}

export interface RunningManager {
  readonly commands: Manager;
  readonly mirror: Mirror;
  readonly etcd: EtcdClient;
  readonly sessions: Sessions;
  /** as of SwarmStatus */
  cluster(): SwarmStatus['cluster'];
  managers(): readonly ManagerAddress[];
  /** what is to be said where the store does not answer; empty: it does */
  silent(): string;
  /** managers that answer now, this one among them, and all */
  reach(): Promise<{ readonly reachable: number; readonly all: number }>;
  /** Something that the mirror does not tell of has changed: the leader decides again. */
  look(): void;
  /** A renewed certificate or other authorities. */
  secure(): void;
  /** This node is on its way out: it leads no more, neither etcd nor the cluster, where another manager can. */
  retire(): Promise<void>;
  /** This daemon ends, or this node is no manager any more (`stopEtcd`). Resolves when nothing of it runs in this process. */
  close(stopEtcd: boolean): Promise<void>;
}

const answers = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const place = splitPlace(address);
    if (!place) {
      resolve(false);
      return;
    }
    const socket = connect({ host: place.host, port: Number(place.port) });
    const end = (yes: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(yes);
    };
    const timer = setTimeout(end(false), REACH_MS);
    socket.once('connect', end(true)).on('error', end(false));
  });

const doorTls = (files: NodeFiles) => {
  const { certificate, key, authorities } = files.credentials();
  return { certificate, key, trust: authorities };
};

/** etcd as it runs, where a former daemon started it; else started anew. */
const begin = async ({ files, saved, beginning }: ManagerSettings): Promise<EtcdProcess> => {
  const { at } = files;
  const place = splitPlace(saved.advertise);
  if (!place) throw new Error(`${saved.advertise} is no address`);
  const etcd: EtcdSettings = {
    name: saved.nodeId,
    clusterToken: saved.clusterId,
    dataDirectory: at.etcdData,
    runDirectory: at.etcdRun,
    logFile: at.etcdLog,
    advertise: { host: place.host, port: Number(place.port) },
    files: { certificate: at.certificate, key: files.keys.path('node.key'), trust: at.trust },
  };
  const running = await adoptEtcd(etcd);
  const program = findPrograms().etcd;
  if (beginning.kind === 'force-new') return forceNewCluster(program, running, etcd);
  return running ?? startEtcd(program, etcd, beginning);
};

/** Resolves when this member has a vote; throws where etcd ends before. */
const untilVoter = async (etcd: EtcdClient, ended: Promise<void>): Promise<void> => {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    const status = await etcd.status().catch(() => undefined);
    if (status && !status.learner) return;
    await new Promise((resolve) => setTimeout(resolve, JOINED_PAUSE_MS));
  }
  throw new Error('etcd ended before it became a member of the cluster; its log says why');
};

/** Resolves when the mirror has the cluster and the API can be answered. */
export const startManager = async (settings: ManagerSettings): Promise<RunningManager> => {
  const { files, saved, log, now } = settings;
  const dataKey = files.dataKey();
  if (!dataKey) throw new Error(`${files.keys.path('data.key')} cannot be read`);
  const over = new AbortController();
  const { signal } = over;
  let door: Door | undefined;

  // The door first: members of etcd reach each other by it.
  const listen = splitPlace(saved.listen) ?? { host: '0.0.0.0', port: '2377' };
  let sessions: Sessions | undefined;
  let process: EtcdProcess | undefined;
  const open = async (host: string): Promise<Door> =>
    openDoor({
      listen: [{ host, port: Number(listen.port) }],
      tls: doorTls(files),
      peers: () => process?.peers,
      session: (visitor) => (sessions ? sessions.visit(visitor) : visitor.socket.destroy()),
    });
  // A host without IPv6 has no `::`.
  door = await open(bindHost(listen.host)).catch(() => open(listen.host));

  const fail = async (error: unknown): Promise<never> => {
    over.abort();
    sessions?.close();
    await door?.close();
    // Who began has nothing to lose; what was there before stays for the next try.
    if (settings.beginning.kind === 'join' || (settings.found && settings.beginning.kind === 'new')) {
      await process?.stop();
      files.forgetEtcd();
    }
    throw error;
  };

  try {
    process = await begin(settings);
    const etcdProcess = process;
    let closing = false;
    void etcdProcess.ended.then(() => {
      if (!closing) settings.ended();
    });
    const etcd = createEtcdClient({ endpoints: [etcdProcess.client] });
    await untilVoter(etcd, etcdProcess.ended);
    await settings.found?.(etcd);

    let secrets: { readonly of: number; readonly opened: ClusterSecrets } | undefined;
    const readSecrets = (): ClusterSecrets => {
      const sealed = mirror.secrets;
      if (!sealed) throw new Error('the cluster’s secrets are not there yet');
      if (secrets?.of !== sealed.revision)
        secrets = {
          of: sealed.revision,
          opened: openSecrets(dataKey, saved.clusterId, sealed.sealed),
        };
      return secrets.opened;
    };

    let held: LeaseId | undefined;
    let office: Office | undefined;
    let goes = false;
    let leaves = false;
    const going = () => ({ mirror, etcd, nodeId: saved.nodeId });
    let answering: ReadonlySet<string> | undefined;
    const mirror: Mirror = createMirror({
      etcd,
      clusterId: saved.clusterId,
      signal,
      log,
      now,
      failed: settings.failed,
      changed: (changes) => {
        const demoted = mirror.state.get('node', saved.nodeId)?.role === 'worker';
        if (demoted && !goes) void handOverEtcd(going()).catch(() => {}); // then the others elect
        goes = demoted || leaves;
        office?.retire(goes);
        office?.seen(mirror.leader);
        followLock();
        if (sessions) tellRoles(sessions, changes, mirror);
        leading.changed();
        assigning.changed(changes);
        settings.changed(changes, mirror);
      },
      heard: (silent) => {
        if (silent)
          log.warn({ error: silent.message }, 'the cluster’s store does not answer: what is shown is old');
        else {
          answering = undefined;
          log.info({}, 'the cluster’s store answers again');
        }
        if (silent) void reach();
        settings.heard(silent === undefined);
      },
    });
    let locked = 0;
    /** Whether managers are locked, and by which key, is the cluster's to say. */
    const followLock = (): void => {
      const revision = mirror.secrets?.revision ?? 0;
      if (revision === locked) return;
      locked = revision;
      const { unlockKey } = readSecrets();
      files.keys.lock(unlockKey === '' ? undefined : Buffer.from(unlockKey, 'base64'));
    };
    const epochs = new Epochs(saved.nodeId);
    const assigning = createAssigning({
      mirror,
      epochs,
      openSecret: (secret) => openBlob(dataKey, saved.clusterId, secret),
      signal,
    });
    const register = createRegister(etcd, mirror.prefix, signal);
    const managers = (): readonly ManagerAddress[] =>
      [...mirror.members].map(([id, { address }]) => ({ id, address }));
    const reach = async (): Promise<{ reachable: number; all: number }> => {
      const all = managers();
      const found = await Promise.all(
        all.map(async ({ id, address }) => (id === saved.nodeId || (await answers(address)) ? id : '')),
      );
      const reachable = new Set(found.filter((id) => id !== ''));
      answering = mirror.silentSince === undefined ? undefined : reachable;
      return { reachable: reachable.size, all: all.length };
    };
    const store = createStore(etcd, { reached: mirror.reached, managers: reach });
    const leading = lead({
      mirror,
      etcd,
      store,
      nodeId: saved.nodeId,
      now,
      log,
      signal,
      fence: () => office?.fence(),
    });
    office = runForOffice({
      etcd,
      key: mirror.prefix + LEADER,
      node: saved.nodeId,
      signal,
      leads: (leads) => {
        log.info({ leads }, leads ? 'this manager leads the cluster' : 'this manager does not lead any more');
        leading.changed();
      },
    });
    await mirror.ready;
    office.seen(mirror.leader);
    sessions = createSessions(
      createReception({
        mirror,
        store,
        register,
        etcd,
        dataKey,
        secrets: readSecrets,
        managers,
        epochs,
        reports: createReports({ mirror, etcd, epochs, now, signal }),
        attachments: createAttachments({ mirror, store, epochs, now, interest: assigning.interest }),
        now,
        log,
      }),
      assigning,
      log,
    );
    void register.set(MANAGER + saved.nodeId, saved.advertise);
    void holdLease({
      ...LEASE,
      etcd,
      signal,
      former: files.lease() as LeaseId | undefined, // etcd says whether it is one
      granted: (lease) => {
        held = lease;
        files.saveLease(lease);
        register.lease(lease);
        office?.stand(lease);
      },
      ended: () => {
        register.lease(undefined);
        office?.stand(undefined);
      },
    });

    const openedDoor = door;
    return {
      commands: createCommands({
        mirror,
        store,
        nodeId: saved.nodeId,
        dataKey,
        secrets: readSecrets,
        reachable: () =>
          mirror.silentSince === undefined ? undefined : (answering ?? new Set([saved.nodeId])),
        rules: settings.rules,
        dataAddress: saved.dataPath || (splitPlace(saved.advertise)?.host ?? ''),
        now,
      }),
      mirror,
      etcd,
      sessions,
      cluster: () => {
        const view = viewCluster(mirror, false);
        if (!view) return undefined;
        const members = mirror.members.size;
        return {
          view,
          nodes: mirror.state.all('node').size,
          managers: members,
          warnings: members === 2 ? [TWO_MANAGERS] : [],
        };
      },
      managers,
      silent: () =>
        mirror.silentSince === undefined
          ? ''
          : noQuorum({ reachable: answering?.size ?? 1, all: mirror.members.size }),
      reach,
      look() {
        leading.changed();
        assigning.failed();
      },
      secure: () => openedDoor.secure(doorTls(files)),
      async retire() {
        leaves = true;
        office?.retire(true);
        await handOver(going(), office?.fence());
      },
      async close(stopEtcd) {
        closing = true;
        over.abort();
        sessions?.close();
        // What hangs on the lease is not true any more: others need not wait for its end.
        if (stopEtcd && held) await etcd.revokeLease(held).catch(() => {});
        etcd.close();
        await openedDoor.close();
        if (stopEtcd) await etcdProcess.stop();
      },
    };
  } catch (error) {
    return fail(error);
  }
};

const TWO_MANAGERS = `WARNING: Running Swarm in a two-manager configuration. This configuration provides
         no fault tolerance, and poses a high risk to lose control over the cluster.
         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the
         Swarm for fault-tolerance.`;

/** A node whose role is not the one of its certificate learns it, and one that was removed too; all learn who the managers are. */
const tellRoles = (sessions: Sessions, changes: readonly RecordChange[], mirror: Mirror): void => {
  const authorities = mirror.state.get('cluster', '')?.authorities ?? '';
  for (const { kind, id, after } of changes) {
    if (kind !== 'node') continue;
    const session = sessions.nodes.get(id);
    if (!session) continue;
    const node = mirror.state.get('node', id);
    if (!after || !node) sessions.remove(id);
    else if (node.role !== session.peer.role)
      sessions.tell(id, { type: 'role', role: node.role, authorities });
  }
  if (changes.length === 0)
    sessions.tellAll({
      type: 'managers',
      managers: [...mirror.members].map(([id, { address }]) => ({ id, address })),
    });
};

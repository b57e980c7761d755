/**
 * A manager, running: etcd's member on this machine, the mirror, the lease, the door with its sessions, and what leads when it is this
 * one's turn. Started from what is on the disk, whether the cluster is new or this daemon only follows another one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { attempt } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Manager, SwarmStatus } from '../contract.js';
import type { Door } from '../door/contract.js';
import { openDoor } from '../door/mux.js';
import { createEtcdClient, type EtcdClient } from '../etcd/client.js';
import type { Beginning, LeaseId } from '../etcd/contract.js';
import { holdLease } from '../etcd/lease.js';
import { lacksRoom, withRoom } from '../etcd/room.js';
import { type Office, runForOffice } from '../lead.js';
import { createServiceLogs } from '../logs/index.js';
import { createMirror, type Mirror, type RecordChange } from '../mirror/index.js';
import { LEADER, MANAGER, MEMBER } from '../mirror/keys.js';
import { writeMember } from '../mirror/member.js';
import { createAssigning } from '../session/assigning.js';
import type { ManagerAddress } from '../session/protocol.js';
import { createSessions, type Sessions } from '../session/server.js';
import { bindHost, splitPlace } from './addresses.js';
import { createAttachments } from './attachments.js';
import { createCommands } from './commands.js';
import { Epochs } from './epochs.js';
import type { NodeFiles, SavedState } from './files.js';
import { handOver, handOverEtcd } from './hand-over.js';
import { lead } from './leading.js';
import { type RunningMember, STORE_QUOTA, startMember, untilVoter } from './member.js';
import { createMembership } from './membership.js';
import type { NetworkRules } from './networks.js';
import { createReach, type Reach } from './reach.js';
import { createReception } from './reception.js';
import { createRegister } from './register.js';
import { createReports } from './reports.js';
import { restartInTurn } from './restart-in-turn.js';
import { tellRoles } from './roles.js';
import { openBlob, secretsReader } from './secrets.js';
import { createStore } from './store.js';
import { createSuccession } from './succession.js';
import { isTurnOf, keepUp } from './upkeep.js';
import { clusterStatus } from './view.js';

/** A manager that is silent for so long is not there any more, and leads no more; `ttl` in seconds. */
const LEASE = { ttl: 10, everyMs: 3_000 } as const;

/**
 * Milliseconds for which a cluster that begins anew decides nothing. What it has may be older than what runs: in this time nodes come and say
 * which addresses their containers have, before any is given to somebody else.
 */
const HEARING_MS = 10_000;
/** Milliseconds: without a quorum nobody answers. */
const REVOKE_MS = 2_000;

export interface ManagerSettings {
  readonly files: NodeFiles;
  readonly rules: NetworkRules;
  readonly saved: SavedState;
  readonly beginning: Beginning;
  /** of a new cluster, or one that begins anew: writes what comes before all else */
  readonly found?: (etcd: EtcdClient) => Promise<void>;
  /** Aborted while it starts: it rejects, also where it would wait for a quorum. */
  readonly givenUp?: AbortSignal;
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
  readonly silent: Reach['silent'];
  readonly reach: Reach['ask'];
  /** Something that the mirror does not tell of has changed: the leader decides again. */
  look(): void;
  /** A renewed certificate. */
  secure(): void;
  /** Other authorities, which `save` writes down: false where that is not this manager's turn. */
  trust(save: () => void): Promise<boolean>;
  /** This node is on its way out: it leads no more, neither etcd nor the cluster, where another manager can. */
  retire(): Promise<void>;
  /** This daemon ends, or this node is no manager any more (`stopEtcd`). Resolves when nothing of it runs in this process. */
  close(stopEtcd: boolean): Promise<void>;
}

const doorTls = (files: NodeFiles) => {
  const { certificate, key, authorities } = files.credentials();
  return { certificate, key, trust: authorities };
};

/** Rejects when the signal is aborted, and is settled by nothing else. */
const aborted = (signal: AbortSignal | undefined): Promise<never> => {
  const rejected = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  rejected.catch(() => {}); // nobody may wait for it any more
  return rejected;
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
  let process: RunningMember | undefined;
  const open = async (host: string): Promise<Door> =>
    openDoor({
      listen: [{ host, port: Number(listen.port) }],
      tls: doorTls(files),
      peers: () => process?.peers(),
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
    const member = await startMember(files, saved, settings.beginning, settings.ended);
    process = member;
    const lacks = (): string | undefined => lacksRoom(files.at.etcdData);
    const etcd = withRoom(createEtcdClient({ endpoints: [member.client] }), lacks);
    const givenUp = aborted(settings.givenUp);
    const own = await Promise.race([untilVoter(etcd, member.ended), givenUp]);
    await settings.found?.(etcd);

    let held: LeaseId | undefined;
    let office: Office | undefined;
    let goes = false;
    let leaves = false;
    const going = () => ({ mirror, etcd, nodeId: saved.nodeId });
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
        logs.changed(changes);
        settings.changed(changes, mirror);
      },
      heard: (silent) => {
        if (silent)
          log.warn({ error: silent.message }, 'the cluster’s store does not answer: what is shown is old');
        else log.info({}, 'the cluster’s store answers again');
        if (silent) void reach.ask();
        else reach.forget();
        settings.heard(silent === undefined || member.restarting() !== undefined);
      },
    });
    const reach = createReach(mirror, saved.nodeId);
    const readSecrets = secretsReader(mirror, dataKey, saved.clusterId);
    let locked = 0;
    /** Whether managers are locked, and by which key, is the cluster's to say. */
    const followLock = (): void => {
      const revision = mirror.secrets?.revision ?? 0;
      if (revision === locked) return;
      const { unlockKey } = readSecrets();
      try {
        files.keys.lock(unlockKey === '' ? undefined : Buffer.from(unlockKey, 'base64'));
        locked = revision;
      } catch (error) {
        log.warn(
          { error: String(error) },
          'the lock of managers is not on the disk yet: with the next change',
        );
      }
    };
    const epochs = new Epochs(saved.nodeId);
    const assigning = createAssigning({
      mirror,
      epochs,
      openSecret: (secret) => openBlob(dataKey, saved.clusterId, secret),
      signal,
    });
    const logs = createServiceLogs({
      ...{ nodeId: saved.nodeId, state: mirror.state, members: mirror.members, failed: settings.failed, log },
      credentials: () => files.credentials(),
      tell(nodeId, message) {
        const here = sessions?.nodes.has(nodeId) ?? false;
        sessions?.tell(nodeId, message);
        return here;
      },
    });
    const register = createRegister(etcd, mirror.prefix, signal);
    const membership = createMembership({ etcd, mirror, register, log, signal });
    const managers = (): readonly ManagerAddress[] =>
      [...mirror.members].map(([id, { address }]) => ({ id, address }));
    const store = createStore(etcd, {
      reached: mirror.reached,
      managers: reach.ask,
      restarting: member.restarting,
    });
    const heard = settings.beginning.kind === 'force-new' ? now() + HEARING_MS : 0;
    const leading = lead({
      mirror,
      etcd,
      store,
      nodeId: saved.nodeId,
      now,
      log,
      signal,
      fence: () => office?.fence(),
      from: heard,
      succession: createSuccession({ mirror, store, dataKey, secrets: readSecrets, now, log }),
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
    await Promise.race([mirror.ready, givenUp]);
    office.seen(mirror.leader);
    sessions = createSessions(
      createReception({
        mirror,
        store,
        register,
        membership,
        etcd,
        dataKey,
        secrets: readSecrets,
        managers,
        epochs,
        reports: createReports({ mirror, etcd, epochs, now, signal }),
        attachments: createAttachments({
          mirror,
          store,
          epochs,
          now,
          interest: assigning.interest,
          from: heard,
        }),
        logs,
        now,
      }),
      assigning,
      log,
    );
    keepUp({
      ...{ etcd, lacks, log, signal, quota: STORE_QUOTA },
      leads: () => office?.fence() !== undefined,
      tend: membership.tend,
      turn: () => isTurnOf(saved.nodeId, [...mirror.members.keys()], now()),
    });
    void register.set(MANAGER + saved.nodeId, saved.advertise);
    // Whoever gave it its vote may have died before it wrote so.
    const isKnown = mirror.members.get(saved.nodeId)?.member === own;
    if (!isKnown && mirror.state.get('node', saved.nodeId)?.role === 'manager')
      void register.keep(MEMBER + saved.nodeId, writeMember({ address: saved.advertise, member: own }));
    void holdLease({
      ...LEASE,
      etcd,
      signal,
      former: files.lease() as LeaseId | undefined, // etcd says whether it is one
      granted: (lease) => {
        held = lease;
        register.lease(lease);
        office?.stand(lease);
        attempt(() => files.saveLease(lease)); // without it the next daemon gets one of its own
      },
      ended: (lease) => {
        if (lease === held) register.lease(undefined); // what hung on one before is put again by now
        office?.ended(lease);
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
        reachable: reach.answering,
        rules: settings.rules,
        logs: logs.logs,
        dataAddress: saved.dataPath || (splitPlace(saved.advertise)?.host ?? ''),
        now,
      }),
      mirror,
      etcd,
      sessions,
      cluster: () => clusterStatus(mirror),
      managers,
      silent: () => reach.silent() || (lacks() ?? ''),
      reach: reach.ask,
      look() {
        leading.changed();
        assigning.failed();
      },
      secure: () => openedDoor.secure(doorTls(files)),
      trust: (save) =>
        restartInTurn(
          {
            ...{ etcd, prefix: mirror.prefix, nodeId: saved.nodeId, reach: reach.ask },
            handOver: () => handOverEtcd(going()),
            restart: () => member.restart(etcd),
          },
          () => {
            save();
            openedDoor.secure(doorTls(files));
          },
        ),
      async retire() {
        leaves = true;
        office?.retire(true);
        await handOver(going(), office?.fence());
      },
      async close(stopEtcd) {
        member.leave();
        over.abort();
        logs.close();
        sessions?.close();
        // What hangs on the lease is not true any more: others need not wait for its end.
        if (stopEtcd && held)
          await Promise.race([etcd.revokeLease(held), pause(REVOKE_MS, undefined, { ref: false })]).catch(
            () => {},
          );
        etcd.close();
        await openedDoor.close();
        if (stopEtcd) await member.stop();
      },
    };
  } catch (error) {
    return fail(error);
  }
};

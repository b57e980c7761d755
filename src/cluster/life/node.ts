/**
 * This machine's part in its cluster, from its first moment to its last: a session with a manager, whatever it is; a manager besides,
 * where its role says so. Its role is what the cluster says; certificate, etcd and door follow it, one change at a time.
 */

import type { ClusterStore } from '../../engine/cluster.js';
import { unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { EngineEvent } from '../../model/events.js';
import { type AgentSettings, createAgent } from '../agent/index.js';
import { generateKey, identityOf, issuerOfNode, renewalOf, requestCertificate } from '../ca/authority.js';
import type { Manager, SwarmStatus } from '../contract.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Beginning } from '../etcd/contract.js';
import { type NodeSession, startSession } from '../session/client.js';
import type { Connection } from '../session/connect.js';
import type { FromManager, ManagerAddress, NodeDescription, Role } from '../session/protocol.js';
import { WORDS } from '../words.js';
import { ownDoor, splitPlace } from './addresses.js';
import { writeAnew } from './anew.js';
import { toldOf } from './events.js';
import type { NodeFiles, SavedState } from './files.js';
import { type Gossip, startGossip } from './gossip.js';
import { refuseToLeave, sayGoodbye } from './leave.js';
import { type ManagerSettings, type RunningManager, startManager } from './manager.js';
import type { NetworkRules } from './networks.js';
import { endEtcd, endPrograms } from './programs-of.js';

/** milliseconds */
const AGAIN_MS = 1_000;
const RENEWAL_CHECK_MS = 60_000;

export interface NodeSettings {
  readonly files: NodeFiles;
  readonly rules: NetworkRules;
  readonly side: AgentSettings['side'];
  readonly disconnect: AgentSettings['disconnect'];
  readonly tasks: AgentSettings['tasks'];
  readonly describe: () => Omit<NodeDescription, 'tls'>;
  readonly publish: (event: Omit<EngineEvent, 'timeNano'>) => void;
  readonly log: Logger;
  readonly now: () => number;
  /** It is in no cluster any more, and did not ask for it. */
  readonly expelled: () => void;
}

export interface RunningNode {
  status(): SwarmStatus;
  /** Throws unavailable, in moby's words. */
  manager(): Manager;
  /** what the engine asks of the cluster */
  readonly store: ClusterStore;
  /** Resolves when its part is what its role says: a worker has a session, a manager can be asked. */
  readonly ready: Promise<void>;
  /** Throws unavailable where it is a manager and not forced. */
  leave(force: boolean): Promise<void>;
  /** Its cluster begins anew with this manager alone. Throws unavailable where it is none. */
  beginAnew(): Promise<void>;
  /** The daemon ends. */
  close(): Promise<void>;
}

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

export const startNode = (
  settings: NodeSettings,
  saved: SavedState,
  first: { readonly beginning: Beginning; readonly found?: (etcd: EtcdClient) => Promise<void> },
): RunningNode => {
  const { files, log, now } = settings;
  const over = new AbortController();
  const { signal } = over;
  // Whoever has lost what etcd had asks the other managers for a place once more.
  const lost = saved.role === 'manager' && !first.found && saved.managers.length > 1 && !files.hasEtcd();
  let state: SavedState = lost ? { ...saved, role: 'worker' } : saved;
  let manager: RunningManager | undefined;
  let wanted: Role = saved.role;
  let error = '';
  let isReady = false;
  let leaving = false;
  let cutOff = false;
  let arrived = (): void => {};
  const ready = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const renewal = { at: 0, of: '' };
  /** nodes that do not answer, as Serf says; what the mirror reads */
  const failed = new Set<string>();
  let gossip: Gossip | undefined;

  const save = (changes: Partial<SavedState>): void => {
    const next = { ...state, ...changes };
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    files.saveState(state);
  };

  const reached = (): void => {
    error = '';
    isReady = true;
    arrived();
  };

  /** With the first keys that the cluster gives. */
  const talk = (): void => {
    const [key, ...others] = state.gossipKeys;
    if (gossip || key === undefined || signal.aborted) return;
    const started = startGossip({
      files,
      saved: state,
      keys: [key, ...others],
      log,
      changed: () => {
        failed.clear();
        for (const id of started.failed) failed.add(id);
        manager?.look();
        agent.failedChanged();
      },
    });
    gossip = started;
  };

  /** A manager that we have a session with counts us among the managers. */
  let counted = true;
  const setManagers = (managers: readonly ManagerAddress[]): void => {
    if (managers.length > 0) save({ managers: [...managers] });
  };
  const hear = (managers: readonly ManagerAddress[]): void => {
    counted = managers.some(({ id }) => id === state.nodeId);
    setManagers(managers);
    again(0);
  };

  const managerSettings = (beginning: Beginning): ManagerSettings => ({
    files,
    rules: settings.rules,
    saved: state,
    beginning,
    log,
    now,
    failed,
    changed: (changes, mirror) => {
      // What was there before this manager is no news.
      if (!manager) return;
      for (const event of toldOf(changes, mirror.state)) settings.publish(event);
      setManagers(manager.managers());
    },
    // Another manager may know more than one that is cut off.
    heard: (answers) => {
      cutOff = !answers;
      if (cutOff && !leaving) session.again();
    },
    ended: () => {
      if (leaving || signal.aborted) return;
      log.warn({}, 'etcd has ended: this node is no manager until it runs again');
      const ended = manager;
      manager = undefined;
      void ended?.close(false);
      session.again();
      again();
    },
  });

  const runManager = async (
    beginning: Beginning,
    found?: (etcd: EtcdClient) => Promise<void>,
  ): Promise<void> => {
    const started = await startManager({ ...managerSettings(beginning), ...(found ? { found } : {}) });
    if (signal.aborted) return started.close(false);
    manager = started;
    setManagers(started.managers());
    reached();
  };

  const certify = async (connection: Connection): Promise<void> => {
    const key = generateKey();
    const issued = await connection.ask(
      { type: 'renew', request: requestCertificate(key), advertise: state.advertise },
      'issued',
    );
    files.saveCertificate(issued.certificate, issued.authorities, key);
    manager?.secure();
    log.info({ role: issued.role }, 'this node has a new certificate');
  };

  const becomeManager = async (connection: Connection): Promise<void> => {
    const enrolled = await connection.ask({ type: 'enrol', address: state.advertise }, 'enrolled');
    files.saveDataKey(Buffer.from(enrolled.dataKey, 'base64'));
    const members = enrolled.members.map(({ name, address }) => [name, `https://${address}`] as const);
    await runManager({ kind: 'join', members });
    save({ role: 'manager' });
    log.info({}, 'this node is a manager now');
  };

  const becomeWorker = async (): Promise<void> => {
    const former = manager;
    manager = undefined;
    await former?.close(true);
    await endEtcd(files.at);
    files.forgetEtcd();
    files.keys.lock(undefined); // only managers are locked
    save({ role: 'worker' });
    log.info({}, 'this node is a worker now');
  };

  let starting: Promise<void> | undefined;
  /** Beside the steps: without a quorum it takes as long as there is none, and the cluster may want a worker meanwhile. */
  const start = (beginning: Beginning): Promise<void> => {
    starting ??= runManager(beginning)
      .catch((failure: unknown) => {
        error = failure instanceof Error ? failure.message : String(failure);
        log.warn({ error }, 'this manager could not be started; it is tried again');
        again();
      })
      .finally(() => {
        starting = undefined;
      });
    return starting;
  };

  /** One step towards what the cluster says; the next session, or the next try, takes the next. Answers when to look again. */
  const step = async (): Promise<number> => {
    const credentials = files.credentials();
    const certified = identityOf(credentials.certificate)?.role;
    const connection = session.current();
    if (state.role === 'manager' && !manager && !leaving && certified === 'manager' && wanted === 'manager')
      void start({ kind: 'again' });
    if (connection && (certified !== wanted || now() >= renewalAt(credentials.certificate))) {
      await certify(connection);
      session.again();
    } else if (certified !== wanted || wanted === state.role) return RENEWAL_CHECK_MS;
    else if (wanted === 'manager') {
      if (connection) await becomeManager(connection);
    } else {
      // To stop etcd before the leader has taken it out could cost the others their quorum.
      if (counted) return AGAIN_MS;
      await becomeWorker();
      session.again();
    }
    return RENEWAL_CHECK_MS;
  };

  const renewalAt = (certificate: string): number => {
    if (renewal.of !== certificate) {
      renewal.of = certificate;
      renewal.at = renewalOf(certificate, Math.random());
    }
    return renewal.at;
  };

  let stepping = false;
  let stepAgain = false;
  let timer: NodeJS.Timeout | undefined;
  const again = (ms = AGAIN_MS): void => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(follow, ms);
  };
  const follow = (): void => {
    if (stepping) {
      stepAgain = true;
      return;
    }
    stepping = true;
    void step()
      .then(
        (ms) => again(ms),
        (failure: unknown) => {
          error = failure instanceof Error ? failure.message : String(failure);
          log.warn({ error }, 'this node’s part in the swarm is not yet what it should be');
          again();
        },
      )
      .finally(() => {
        stepping = false;
        if (stepAgain) again(0);
        stepAgain = false;
      });
  };

  const trust = (authorities: string): void => {
    if (authorities === files.credentials().authorities) return;
    files.saveAuthorities(authorities);
    manager?.secure();
  };

  const told = (message: FromManager): void => {
    if (message.type === 'assign') agent.take(message);
    if (message.type === 'managers') hear(message.managers);
    if (message.type === 'role') {
      trust(message.authorities);
      wanted = message.role;
      again(0);
    }
    if (message.type === 'removed') settings.expelled();
  };

  const session: NodeSession = startSession({
    managers: () => {
      const others = shuffled(state.managers.filter(({ id }) => id !== state.nodeId));
      const own = manager ? [ownDoor(state.listen)] : [];
      const there = others.map(({ address }) => address);
      return cutOff ? [...there, ...own] : [...own, ...there];
    },
    credentials: () => files.credentials(),
    hello: () => ({
      type: 'hello',
      description: { ...settings.describe(), tls: tlsInfo(files) },
      advertise: state.advertise,
      dataPath: state.dataPath,
    }),
    welcome: (message) => {
      hear(message.managers);
      save({ gossipKeys: message.gossipKeys });
      talk();
      trust(message.authorities);
      wanted = message.role;
      agent.welcomed();
      if (wanted === 'worker' && state.role === 'worker') reached();
      again(0);
    },
    told,
    log,
    signal,
  });

  const agent = createAgent({
    nodeId: state.nodeId,
    side: settings.side,
    failed,
    disconnect: settings.disconnect,
    tasks: settings.tasks,
    hostname: settings.describe().hostname,
    file: files.at.agent,
    taskFiles: files.at.taskFiles,
    connection: () => session.current(),
    now,
    log,
  });

  const begun = first.found ? runManager(first.beginning, first.found) : undefined;
  if (!begun && state.role === 'manager') void start(first.beginning);

  const close = async (stopEtcd: boolean): Promise<void> => {
    over.abort();
    clearTimeout(timer);
    const running = manager;
    manager = undefined;
    await Promise.all([running?.close(stopEtcd), gossip?.close(leaving), agent.close()]);
  };

  talk();

  return {
    store: agent.store,
    ready: Promise.race([ready, begun?.then(() => ready) ?? ready]),
    status: () => ({
      state: isReady ? 'active' : error === '' ? 'pending' : 'error',
      nodeId: state.nodeId,
      address: splitPlace(state.advertise)?.host ?? '',
      control: manager !== undefined,
      error: manager?.silent() || error,
      managers: manager?.managers() ?? state.managers,
      ...clusterOf(manager),
    }),
    manager() {
      if (manager) return manager.commands;
      throw unavailable(wanted === 'manager' ? WORDS.preparing : WORDS.worker);
    },
    async leave(force) {
      const isManager = state.role === 'manager';
      await refuseToLeave({ manager, isManager, force });
      leaving = true;
      await agent.leave();
      await sayGoodbye({ manager, nodeId: state.nodeId, session, now, log });
      await close(true);
      await endPrograms(files.at);
      files.clear();
    },
    async beginAnew() {
      const former = manager;
      if (!former) throw unavailable(WORDS.preparing);
      leaving = true; // etcd's end is meant
      manager = undefined;
      try {
        await former.close(true);
        await runManager({ kind: 'force-new' }, (etcd) =>
          writeAnew(etcd, { ...state, address: state.advertise, now, log }),
        );
      } finally {
        leaving = false;
      }
      save({ managers: [{ id: state.nodeId, address: state.advertise }] });
      session.again();
    },
    close: () => close(false),
  };
};

const clusterOf = (manager: RunningManager | undefined): Pick<SwarmStatus, 'cluster'> => {
  const cluster = manager?.cluster();
  return cluster ? { cluster } : {};
};

const tlsInfo = (files: NodeFiles): NodeDescription['tls'] => {
  const { certificate, authorities } = files.credentials();
  const { TrustRoot, CertIssuerSubject, CertIssuerPublicKey } = issuerOfNode(certificate, authorities);
  return { trustRoot: TrustRoot, issuerSubject: CertIssuerSubject, issuerPublicKey: CertIssuerPublicKey };
};

/**
 * This machine's part in its cluster, from its first moment to its last: a session with a manager, whatever it is; a manager besides,
 * where its role says so. Its role is what the cluster says; certificate, etcd and door follow it, one change at a time.
 */

import type { ClusterStore } from '../../engine/cluster.js';
import { messageOf, unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { EngineEvent } from '../../model/events.js';
import type { Tunnel } from '../../model/tunnel.js';
import { type AgentSettings, createAgent } from '../agent/index.js';
import type { Manager, SwarmStatus } from '../contract.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Beginning } from '../etcd/contract.js';
import { routesToTell } from '../routes.js';
import { type NodeSession, startSession } from '../session/client.js';
import {
  type FromManager,
  LONGEST_FAULT,
  type ManagerAddress,
  MOST_FAULTS,
  type NodeDescription,
  type Role,
} from '../session/protocol.js';
import { preparing, WORDS } from '../words.js';
import { ownDoor, splitPlace } from './addresses.js';
import { createCertificate } from './certificate.js';
import { tellCondition } from './condition.js';
import type { NodeFiles, SavedState } from './files.js';
import { type Gossip, startGossip } from './gossip.js';
import { refuseToLeave, sayGoodbye } from './leave.js';
import type { RunningManager } from './manager.js';
import { createManaging } from './managing.js';
import type { NetworkRules } from './networks.js';
import { endPrograms } from './programs-of.js';
import { nextRoleStep } from './role-step.js';
import { createSaver } from './saver.js';
import { AGAIN_MS, createSteps } from './steps.js';

/** milliseconds */
const RENEWAL_CHECK_MS = 60_000;

export interface NodeSettings {
  readonly files: NodeFiles;
  readonly rules: NetworkRules;
  readonly side: AgentSettings['side'];
  readonly disconnect: AgentSettings['disconnect'];
  readonly tasks: AgentSettings['tasks'];
  readonly describe: () => Omit<NodeDescription, 'tls'>;
  /** how others reach this host on encrypted networks */
  readonly tunnel: () => Tunnel;
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
  /** Resolves when the cluster itself, as this manager knows it, takes this node for one that tasks can be given to. */
  readonly available: Promise<void>;
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

/** A promise, and how it is resolved by whoever sees that it is so. */
const milestone = (): { readonly reached: Promise<void>; readonly reach: () => void } => {
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return { reached, reach };
};

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
  let wanted: Role = saved.role;
  let error = '';
  let isReady = false;
  const ready = milestone();
  const available = milestone();
  /** nodes that do not answer, as Serf says; what the mirror reads */
  const failed = new Set<string>();
  let gossip: Gossip | undefined;

  const write = createSaver(files.saveState, { log, signal });
  const save = (changes: Partial<SavedState>): void => {
    const next = { ...state, ...changes };
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    write(state);
  };

  /** Throws what the disk does, while the cluster is being founded. */
  const reached = (): void => {
    error = '';
    if (state.founding) {
      const { founding, ...founded } = state;
      files.saveState(founded); // or it fails: what is answered must be there for the next daemon
      state = founded;
    }
    isReady = true;
    ready.reach();
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
        managing.current()?.look();
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
    steps.again(0);
  };

  const certificate = createCertificate({
    files,
    advertise: state.advertise,
    log,
    now,
    changed: () => managing.current()?.secure(),
    trusts: () => session.current()?.say({ type: 'describe', ...condition() }),
    inTurn: () =>
      state.role === 'manager' ? async (save) => (await managing.current()?.trust(save)) ?? false : undefined,
  });

  const managing = createManaging({
    ...settings,
    saved: () => state,
    failed,
    signal,
    reached,
    managers: setManagers,
    available: available.reach,
    lost: () => session.again(),
    again: (failure) => {
      if (failure !== undefined) error = failure;
      steps.again();
    },
  });

  /** One step towards what the cluster says; the next session, or the next try, takes the next. Answers when to look again. */
  const step = async (): Promise<number> => {
    const certified = certificate.role();
    const connection = session.current();
    const isManager = state.role === 'manager' && certified === 'manager' && wanted === 'manager';
    if (isManager && !managing.current() && !managing.isEnding()) managing.start({ kind: 'again' });
    const next = nextRoleStep({
      wanted,
      certified,
      role: state.role,
      isDue: certificate.isDue(),
      isConnected: connection !== undefined,
      isCounted: counted,
    });
    if (next === 'wait' || (next === 'rest' && !(await certificate.follow()))) return AGAIN_MS;
    if (next === 'renew' && connection) await certificate.renew(connection);
    if (next === 'become-manager' && connection) await managing.join(connection);
    if (next === 'become-worker') await managing.cease();
    if (next === 'become-manager' || next === 'become-worker') {
      // What is wanted may be another by now.
      const role = next === 'become-manager' ? 'manager' : 'worker';
      save({ role });
      log.info({ role }, 'this node has a new role');
    }
    if (next === 'renew' || next === 'become-worker') session.again();
    return RENEWAL_CHECK_MS;
  };

  const steps = createSteps(
    step,
    (failure) => {
      error = messageOf(failure);
      log.warn({ error }, 'this node’s part in the swarm is not yet what it should be');
    },
    signal,
  );

  const told = (message: FromManager): void => {
    if (message.type === 'assign') agent.take(message);
    if (message.type === 'bring') agent.bring(message);
    if (message.type === 'managers') hear(message.managers);
    if (message.type === 'role') {
      certificate.hear(message);
      wanted = message.role;
      steps.again(0);
    }
    if (message.type === 'removed') settings.expelled();
  };

  const condition = tellCondition({
    now: () => ({
      description: { ...settings.describe(), tls: certificate.described() },
      routes: [...routesToTell(settings.side.routes())],
      faults: agent
        .faults()
        .map((text) => text.slice(0, LONGEST_FAULT))
        .slice(0, MOST_FAULTS),
    }),
    connection: () => session.current(),
    signal,
  });

  const session: NodeSession = startSession({
    managers: () => {
      const others = shuffled(state.managers.filter(({ id }) => id !== state.nodeId));
      const own = managing.current() ? [ownDoor(state.listen)] : [];
      const there = others.map(({ address }) => address);
      return managing.isCutOff() ? [...there, ...own] : [...own, ...there];
    },
    credentials: () => files.credentials(),
    hello: () => ({
      type: 'hello',
      ...condition(),
      advertise: state.advertise,
      dataPath: state.dataPath,
      tunnel: settings.tunnel(),
    }),
    welcome: (message) => {
      hear(message.managers);
      save({ gossipKeys: message.gossipKeys });
      talk();
      certificate.hear(message);
      wanted = message.role;
      agent.welcomed();
      if (wanted === 'worker' && state.role === 'worker') reached();
      steps.again(0);
    },
    told,
    log,
    signal,
  });

  const agent = createAgent({
    nodeId: state.nodeId,
    tunnel: settings.tunnel(),
    side: settings.side,
    failed,
    disconnect: settings.disconnect,
    tasks: settings.tasks,
    host: settings.describe(),
    file: files.at.agent,
    taskFiles: files.at.taskFiles,
    connection: () => session.current(),
    credentials: () => files.credentials(),
    placeOf: ({ id, address }) => (id === state.nodeId ? ownDoor(state.listen) : address),
    now,
    log,
  });

  const { beginning, found } = first;
  const begun = found ? managing.run(beginning, found) : undefined;
  if (!begun && state.role === 'manager') managing.start(beginning);

  const close = async (leaves: boolean): Promise<void> => {
    over.abort();
    steps.close();
    await Promise.all([managing.close(leaves), gossip?.close(leaves), agent.close()]);
  };

  talk();

  return {
    store: agent.store,
    available: available.reached,
    ready: Promise.race([ready.reached, begun?.then(() => ready.reached) ?? ready.reached]),
    status() {
      const manager = managing.current();
      return {
        state: isReady ? 'active' : error === '' ? 'pending' : 'error',
        nodeId: state.nodeId,
        address: splitPlace(state.advertise)?.host ?? '',
        control: manager !== undefined,
        error: manager?.silent() || error,
        managers: manager?.managers() ?? state.managers,
        ...clusterOf(manager),
      };
    },
    manager() {
      const manager = managing.current();
      if (manager) return manager.commands;
      throw unavailable(wanted === 'manager' ? preparing(error) : WORDS.worker);
    },
    async leave(force) {
      const manager = managing.current();
      await refuseToLeave({ manager, isManager: state.role === 'manager', force });
      managing.end();
      await agent.leave();
      await sayGoodbye({ manager: managing.current(), nodeId: state.nodeId, session, now, log });
      await close(true);
      await endPrograms(files.at);
      files.clear();
    },
    async beginAnew() {
      await managing.beginAnew();
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

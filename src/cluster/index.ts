/**
 * This daemon's part in a swarm. What a node needs is loaded when there is something to be a node of: a daemon that is in no swarm
 * pays for one look whether a file is there.
 */
import { existsSync } from 'node:fs';
import type { ClusterStore } from '../engine/cluster.js';
import { conflict, unavailable } from '../errors.js';
import type { Logger } from '../log.js';
import type { EngineEvent } from '../model/events.js';
import type { Tunnel } from '../model/tunnel.js';
import type { AgentSettings } from './agent/index.js';
import type { Manager, Swarm, SwarmStatus } from './contract.js';
import { INACTIVE } from './inactive.js';
import type { HostInterface } from './life/addresses.js';
import type { NodeFiles } from './life/files.js';
import { layout } from './life/layout.js';
import type { NetworkRules } from './life/networks.js';
import type { RunningNode } from './life/node.js';
import type { NodeDescription } from './session/protocol.js';
import { WORDS } from './words.js';

export interface SwarmSettings {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** `--swarm-default-advertise-addr`; empty: none */
  readonly defaultAdvertise: () => string;
  readonly interfaces: () => readonly HostInterface[];
  readonly describe: () => Omit<NodeDescription, 'tls'>;
  readonly tunnel: () => Tunnel;
  readonly rules: NetworkRules;
  readonly side: AgentSettings['side'];
  readonly disconnect: AgentSettings['disconnect'];
  readonly tasks: AgentSettings['tasks'];
  readonly publish: (event: Omit<EngineEvent, 'timeNano'>) => void;
  readonly log: Logger;
}

/** milliseconds: what `docker swarm join` waits for; and a daemon's start, before its API answers */
const JOIN_MS = 20_000;
const RETURN_MS = 5_000;

const within = <T>(ms: number, work: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

export interface LocalSwarm extends Swarm {
  /** Goes on where the former daemon stopped; resolves when this node is what it was, or after a few seconds. */
  resume(): Promise<void>;
  /** undefined: this node is in no swarm */
  store(): ClusterStore | undefined;
}

export const createSwarm = (settings: SwarmSettings): LocalSwarm => {
  const at = layout(settings.dataRoot, settings.execRoot);
  const { log } = settings;
  const now = (): number => Date.now();
  let node: RunningNode | undefined;
  /** Sealed, until somebody types the unlock key. */
  let sealed: ((key: string) => Promise<void>) | undefined;
  /** Why there is no node although the disk says that there is one. */
  let broken = '';
  /** init, join and leave, one at a time */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };

  const nodeSettings = (files: NodeFiles) => ({
    files,
    rules: settings.rules,
    side: settings.side,
    disconnect: settings.disconnect,
    tasks: settings.tasks,
    describe: settings.describe,
    tunnel: settings.tunnel,
    publish: settings.publish,
    log,
    now,
    expelled: () => {
      log.warn({}, 'this node was removed from its swarm');
      void inTurn(async () => {
        const former = node;
        node = undefined;
        await former?.leave(true);
      });
    },
  });

  /** What it needs is there, and it is in no cluster yet. */
  const mayBegin = async (): Promise<void> => {
    if (node || sealed || broken !== '') throw unavailable(WORDS.already);
    const { findPrograms } = await import('./life/index.js');
    findPrograms();
  };

  /** What a former daemon's etcd knows is not to be asked before: it ends. */
  const unlocking = async (
    files: NodeFiles,
    start: () => Promise<void>,
  ): Promise<(key: string) => Promise<void>> => {
    const { parseUnlockKey, endEtcd } = await import('./life/index.js');
    await endEtcd(at);
    log.warn({}, 'this manager is locked: docker swarm unlock');
    return async (key) => {
      files.keys.unlock(parseUnlockKey(key));
      await within(JOIN_MS, start());
    };
  };

  const manager = (): Manager => {
    if (sealed) throw unavailable(WORDS.locked);
    if (node) return node.manager();
    throw unavailable(WORDS.noManager);
  };

  const status = (): SwarmStatus => {
    if (sealed) return { ...INACTIVE, state: 'locked', error: WORDS.locked };
    if (broken !== '') return { ...INACTIVE, state: 'error', error: broken };
    return node?.status() ?? INACTIVE;
  };

  return {
    resume: async () => {
      if (!existsSync(at.state)) return;
      try {
        const { nodeFiles, startNode, endPrograms } = await import('./life/index.js');
        const files = nodeFiles(at);
        const saved = files.state();
        if (!saved) return;
        if (saved.founding) {
          log.warn({}, 'the swarm that was being made when the daemon ended is none: docker swarm init');
          await endPrograms(at);
          files.clear();
          return;
        }
        const start = (): Promise<void> => {
          node = startNode(nodeSettings(files), saved, { beginning: { kind: 'again' } });
          return node.ready;
        };
        if (files.keys.locked()) sealed = await unlocking(files, start);
        else await within(RETURN_MS, start());
      } catch (error) {
        broken = error instanceof Error ? error.message : String(error);
        log.error({ error: broken }, 'this node’s part in the swarm cannot be read');
      }
    },
    store: () => node?.store,
    status,
    init: (request) =>
      inTurn(async () => {
        if (request.forceNewCluster && node) {
          await node.beginAnew();
          return node.status().nodeId;
        }
        await mayBegin();
        const { nodeFiles, init, startNode, endPrograms } = await import('./life/index.js');
        const files = nodeFiles(at);
        const { state, found } = init(
          {
            files,
            interfaces: settings.interfaces(),
            rules: settings.rules,
            routes: settings.side.routes(),
            defaultAdvertise: settings.defaultAdvertise(),
            now,
          },
          request,
        );
        const started = startNode(nodeSettings(files), state, { beginning: { kind: 'new' }, found });
        node = started;
        try {
          await started.ready;
        } catch (error) {
          node = undefined;
          await started.close();
          await endPrograms(at);
          files.clear();
          throw error;
        }
        // Its leader has it ready a moment after its session stands; what is asked of it next may hang on that.
        await within(JOIN_MS, started.available);
        return state.nodeId;
      }),
    join: (request) =>
      inTurn(async () => {
        await mayBegin();
        const { nodeFiles, join, startNode } = await import('./life/index.js');
        const files = nodeFiles(at);
        const state = await join(
          { files, interfaces: settings.interfaces(), defaultAdvertise: settings.defaultAdvertise() },
          request,
        );
        node = startNode(nodeSettings(files), state, { beginning: { kind: 'again' } });
        const joined = await within(
          JOIN_MS,
          node.ready.then(() => true),
        );
        if (!joined) throw unavailable(WORDS.timeout);
      }),
    leave: (force) =>
      inTurn(async () => {
        if (!node && (sealed || broken !== '')) {
          if (!force) throw unavailable(sealed ? WORDS.lockedLeave : broken);
          const { nodeFiles, endPrograms } = await import('./life/index.js');
          await endPrograms(at);
          nodeFiles(at).clear();
          broken = '';
          sealed = undefined;
          return;
        }
        if (!node) throw unavailable(WORDS.notInSwarm);
        await node.leave(force);
        node = undefined;
      }),
    unlock: (key) =>
      inTurn(async () => {
        if (!sealed) {
          manager();
          throw conflict(WORDS.notLocked);
        }
        await sealed(key);
        sealed = undefined;
      }),
    manager,
    close: async () => {
      await node?.close();
    },
  };
};

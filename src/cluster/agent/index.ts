/**
 * The agent of a swarm's node, on every node: what a manager tells it becomes records of this host, and what its own containers have on the cluster's networks is kept as it
 * is. Level-triggered: with each session it is told all, compares, and mends.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterSide, ClusterStore, LocalEndpoint } from '../../engine/cluster.js';
import type { Logger } from '../../log.js';
import { hasEnded } from '../../model/swarm/task.js';
import type { Tunnel } from '../../model/tunnel.js';
import { applyChange } from '../apply.js';
import { type BringSettings, createBringer } from '../logs/bring.js';
import { startPathCheck } from '../path/index.js';
import { itemKey } from '../session/assigned.js';
import type { Connection } from '../session/connect.js';
import type { Answer } from '../session/protocol.js';
import type { Here } from './container.js';
import type { TaskEngine, TaskLogs } from './contract.js';
import { createDuties } from './duties.js';
import { createKeeper, readKept } from './kept.js';
import { answering, changed, type Items, lacksNumber, ownOf, type Seen, whole } from './others.js';
import { createSwarmStore } from './store.js';

const SOON_MS = 50;
const RETRY_MS = 5_000;
/** And now and then without a reason, so that nothing stays wrong for long. */
const AGAIN_MS = 30_000;
/** how long a command waits for a network that it was promised; how long leaving waits for what it gives back */
const ARRIVAL_MS = 5_000;
const LEAVE_MS = 5_000;
/** how long leaving waits for tasks to end */
const TASKS_MS = 15_000;

export interface AgentSettings extends Pick<BringSettings, 'credentials' | 'placeOf'> {
  readonly nodeId: string;
  /** what templates may say of this node */
  readonly host: Omit<Here, 'nodeId'>;
  /** how others reach this host on encrypted networks */
  readonly tunnel: Tunnel;
  /** what it keeps while no manager tells it */
  readonly file: string;
  /** directory for secrets and configs of its tasks */
  readonly taskFiles: string;
  /** ids of nodes that do not answer; the same set for ever */
  readonly failed: ReadonlySet<string>;
  readonly tasks: TaskEngine & TaskLogs;
  readonly side: ClusterSide;
  /** Takes a container off a network, running or not. */
  readonly disconnect: (networkId: string, containerId: string) => Promise<void>;
  /** while a session stands */
  readonly connection: () => Connection | undefined;
  readonly now: () => number;
  readonly log: Logger;
}

export interface Agent {
  readonly store: ClusterStore;
  /** what is wrong with this node's part in the cluster, a sentence each */
  faults(): readonly string[];
  take(message: Answer<'assign'>): void;
  /** A manager wants logs of this node's tasks. */
  bring(message: Answer<'bring'>): void;
  /** Other nodes answer than before. */
  failedChanged(): void;
  /** A session has begun: what became of this node's tasks is told again. */
  welcomed(): void;
  /** While the session still stands: tasks end, containers leave the cluster's networks, and nothing of those stays. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

type Known = Answer<'attachments'>['known'][number];

const sameNames = (known: Known, { endpoint }: LocalEndpoint): boolean =>
  known.containerName === endpoint.containerName && known.dnsNames.join(' ') === endpoint.dnsNames.join(' ');

export const createAgent = (settings: AgentSettings): Agent => {
  const { nodeId, side, disconnect, connection, log } = settings;
  const kept = readKept(settings.file, log);
  const { said } = kept;
  let items: Items = kept.items;
  let told = false;
  let closed = false;
  let leaving = false;
  let busy = false;
  let timer: NodeJS.Timeout | undefined;
  const over = new AbortController();

  const seen = (): Seen => ({
    items,
    self: nodeId,
    tunnel: settings.tunnel,
    failed: settings.failed,
  });

  const mendSoon = (after = SOON_MS): void => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void mend(), after).unref();
  };

  const follow = (change: Parameters<typeof applyChange>[1]): void => {
    if (!applyChange(side, change, log)) mendSoon(RETRY_MS);
  };

  /** Containers on networks of the cluster that it has not made itself. */
  const own = (): readonly LocalEndpoint[] => {
    const networks = new Set(side.networks().flatMap(({ id, scope }) => (scope === 'swarm' ? [id] : [])));
    return side.endpoints().filter(({ networkId }) => networks.has(networkId));
  };

  /** What managers say of this host's own containers, made as it is. */
  const settle = async (manager: Connection): Promise<void> => {
    const { known } = await manager.ask({ type: 'attachments' }, 'attachments');
    const wanted = new Map(own().map((local) => [String(local.endpoint.id), local]));
    for (const { id } of known)
      if (!wanted.has(id) && !side.isUnderWay(id))
        await manager.ask({ type: 'detach', id, node: '' }, 'done');
    for (const [id, local] of wanted) {
      const found = known.find((each) => each.id === id);
      if (side.isUnderWay(id) || (found && sameNames(found, local))) continue;
      const { networkId, endpoint } = local;
      const { taken } = await manager.ask({ type: 'attach', networkId, endpoint, has: true }, 'attached');
      if (taken.length > 0)
        log.error(
          { container: endpoint.containerName, addresses: [endpoint.ipv4, endpoint.ipv6] },
          'addresses of this container are another host’s by now: disconnect it from the network and connect it again',
        );
    }
  };

  const mend = async (): Promise<void> => {
    const manager = connection();
    if (busy) mendSoon(RETRY_MS);
    if (!manager || !told || busy || closed) return;
    busy = true;
    let again = AGAIN_MS;
    try {
      side.settle();
      tellNumber();
      follow(whole(seen(), side));
      await settle(manager);
    } catch (error) {
      log.warn({ error: String(error) }, 'what the cluster says of this host is not mended yet');
      again = RETRY_MS;
    }
    busy = false;
    mendSoon(again);
  };

  const stopListening = side.onChange(() => mendSoon());
  try {
    side.makeGateway();
  } catch (error) {
    log.warn(
      { error: String(error) },
      'docker_gwbridge could not be made: it is tried again with the first container that needs it',
    );
  }

  const makeOwn = (networkId: string): void => {
    const wish = ownOf(items, networkId);
    if (wish) side.makeOwn(wish);
  };

  const keeper = createKeeper(settings.file, () => ({ items, said }), log);
  const duties = createDuties({
    ...settings,
    engine: settings.tasks,
    items: () => items,
    knows: () => told || kept.items.size > 0,
    said,
    keep: keeper.later,
    makeNetwork: makeOwn,
    // A network goes with the last task that needed it.
    ended: () => follow(whole(seen(), side)),
  });
  // As it was told last: a daemon that starts may find no manager to ask.
  if (items.size > 0) {
    follow(whole(seen(), side));
    duties.lookAtAll();
  }

  const standing = (taskId: string): 'coming' | 'over' | undefined => {
    const item = items.get(`task/${taskId}`);
    if (item?.kind !== 'task') return undefined;
    return hasEnded(said.get(taskId)?.state ?? item.status.state) ? 'over' : 'coming';
  };

  const arrived = async (networkId: string): Promise<void> => {
    const end = performance.now() + ARRIVAL_MS;
    const there = (): boolean => {
      makeOwn(networkId);
      return side.networks().some(({ id }) => id === networkId);
    };
    while (!there() && performance.now() < end) await pause(10);
  };

  const path = startPathCheck({ side, failed: settings.failed, log });
  const faults = (): readonly string[] => [...(told ? lacksNumber(items, nodeId) : []), ...path.warnings()];
  let numbered = true;
  /** Told once, and when it is over. */
  const tellNumber = (): void => {
    const [lack] = lacksNumber(items, nodeId);
    if (lack !== undefined && numbered) log.warn({}, lack);
    if (lack === undefined && !numbered) log.info({}, 'this node has its number in the swarm');
    numbered = lack === undefined;
  };

  return {
    store: createSwarmStore({ connection, arrived, warnings: faults }),
    faults,
    take(message) {
      // What a manager still wants of a node that leaves would be begun for nobody.
      if (leaving) return;
      const now = new Map(message.whole ? [] : items);
      for (const key of message.unset) now.delete(key);
      for (const item of message.set) now.set(itemKey(item), item);
      items = now;
      told = true;
      keeper.later();
      const keys = [...message.unset, ...message.set.map(itemKey)];
      if (message.whole) {
        follow(whole(seen(), side));
        duties.lookAtAll();
        mendSoon();
      } else {
        follow(changed(seen(), keys));
        duties.look(keys);
      }
    },
    bring: createBringer({ ...settings, engine: settings.tasks, standing, signal: over.signal }),
    failedChanged: () => follow(answering(seen())),
    welcomed: duties.welcomed,
    async leave() {
      leaving = true;
      told = true;
      items = new Map([...items].filter(([, { kind }]) => kind !== 'task'));
      duties.lookAtAll();
      await duties.settled(TASKS_MS);
      const off = side.endpoints().map(async ({ networkId, endpoint }) => {
        await disconnect(networkId, endpoint.containerId).catch((error: unknown) =>
          log.warn(
            { container: endpoint.containerName, error: String(error) },
            'a container stays on a network of the swarm',
          ),
        );
      });
      await Promise.race([Promise.all(off), pause(LEAVE_MS, undefined, { ref: false })]);
      side.settle();
      items = new Map();
      follow(whole(seen(), side));
    },
    async close() {
      closed = true;
      over.abort();
      clearTimeout(timer);
      stopListening();
      await Promise.all([duties.close(), keeper.close(), path.close()]);
    },
  };
};

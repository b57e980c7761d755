/**
 * The manager that this machine is, or is not: begun with a new cluster, started again with the daemon, joined when the cluster wants one
 * here, and ended when it does not.
 */
import { messageOf, unavailable } from '../../errors.js';
import type { EngineEvent } from '../../model/events.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Beginning } from '../etcd/contract.js';
import type { Connection } from '../session/connect.js';
import type { ManagerAddress } from '../session/protocol.js';
import { WORDS } from '../words.js';
import { writeAnew } from './anew.js';
import { toldOf } from './events.js';
import type { SavedState } from './files.js';
import { type ManagerSettings, type RunningManager, startManager } from './manager.js';
import { endEtcd } from './programs-of.js';

export interface ManagingSettings
  extends Pick<ManagerSettings, 'files' | 'rules' | 'failed' | 'log' | 'now'> {
  readonly saved: () => SavedState;
  readonly publish: (event: Omit<EngineEvent, 'timeNano'>) => void;
  /** Aborted: the node is over. */
  readonly signal: AbortSignal;
  /** A manager runs and can be asked. */
  readonly reached: () => void;
  /** The cluster's managers, as this one knows them. */
  readonly managers: (managers: readonly ManagerAddress[]) => void;
  /** The cluster counts this node among those that tasks can be given to. */
  readonly available: () => void;
  /** Another manager may know more than this one. */
  readonly lost: () => void;
  /** It does not run, and should: whoever decides about it looks again in a while. `error`: why it could not be started. */
  readonly again: (error?: string) => void;
}

export interface Managing {
  /** while it runs */
  current(): RunningManager | undefined;
  /** The cluster's store does not answer it. */
  isCutOff(): boolean;
  /** Its end is meant: what ends of it is not started again. */
  isEnding(): boolean;
  /** Resolves when it runs. `found`: as of ManagerSettings. Throws why it could not be started. */
  run(beginning: Beginning, found?: (etcd: EtcdClient) => Promise<void>): Promise<void>;
  /** As `run`, for as long as it takes: without a quorum as long as there is none. */
  start(beginning: Beginning): void;
  /** Resolves when it is a member of the cluster whose manager this connection is to. */
  join(connection: Connection): Promise<void>;
  /** This node is no manager any more; nothing is left of what it had as one. */
  cease(): Promise<void>;
  /** The cluster begins anew with this manager alone, also where it waits for a quorum. Throws unavailable where this node is none. */
  beginAnew(): Promise<void>;
  /** This node is on its way out of the cluster. */
  end(): void;
  /** `stopEtcd`: as of RunningManager. */
  close(stopEtcd: boolean): Promise<void>;
}

export const createManaging = (settings: ManagingSettings): Managing => {
  const { files, log, now, saved, signal } = settings;
  let manager: RunningManager | undefined;
  /** `over` does not reject. */
  let starting: { readonly over: Promise<void>; readonly giveUp: () => void } | undefined;
  let ending = false;
  let cutOff = false;
  /** why it could not be started, as was said last */
  let told = '';

  const close = async (stopEtcd: boolean): Promise<void> => {
    const former = manager;
    manager = undefined;
    await former?.close(stopEtcd);
  };

  const managerSettings = (beginning: Beginning): ManagerSettings => ({
    files,
    rules: settings.rules,
    saved: saved(),
    beginning,
    log,
    now,
    failed: settings.failed,
    changed: (changes, { state }) => {
      if (state.get('node', saved().nodeId)?.status.state === 'ready') settings.available();
      // What was there before this manager is no news.
      if (!manager) return;
      for (const event of toldOf(changes, state)) settings.publish(event);
      settings.managers(manager.managers());
    },
    heard: (answers) => {
      cutOff = !answers;
      if (cutOff && !ending) settings.lost();
    },
    ended: () => {
      if (ending || signal.aborted) return;
      log.warn({}, 'etcd has ended: this node is no manager until it runs again');
      void close(false);
      settings.lost();
      settings.again();
    },
  });

  const run = async (
    beginning: Beginning,
    more: Pick<ManagerSettings, 'found' | 'givenUp'> = {},
  ): Promise<void> => {
    const started = await startManager({ ...managerSettings(beginning), ...more });
    if (signal.aborted) return started.close(false);
    manager = started;
    told = '';
    settings.managers(started.managers());
    settings.reached();
  };

  return {
    current: () => manager,
    isCutOff: () => cutOff,
    isEnding: () => ending,
    run: (beginning, found) => run(beginning, found && { found }),
    start(beginning) {
      if (starting) return;
      const given = new AbortController();
      const over = run(beginning, { givenUp: given.signal })
        .catch((failure: unknown) => {
          if (given.signal.aborted) return;
          const error = messageOf(failure);
          if (error !== told) log.warn({ error }, 'this manager could not be started; it is tried again');
          told = error;
          settings.again(error);
        })
        .finally(() => {
          starting = undefined;
        });
      starting = { over, giveUp: () => given.abort() };
    },
    async join(connection) {
      const enrolled = await connection.ask({ type: 'enrol', address: saved().advertise }, 'enrolled');
      files.saveDataKey(Buffer.from(enrolled.dataKey, 'base64'));
      const members = enrolled.members.map(({ name, address }) => [name, `https://${address}`] as const);
      await run({ kind: 'join', members });
    },
    async cease() {
      await close(true);
      await endEtcd(files.at);
      files.forgetEtcd();
      files.keys.lock(undefined); // only managers are locked
    },
    async beginAnew() {
      if (saved().role !== 'manager') throw unavailable(WORDS.worker);
      ending = true;
      try {
        starting?.giveUp();
        await starting?.over;
        await close(true);
        await run(
          { kind: 'force-new' },
          { found: (etcd) => writeAnew(etcd, { ...saved(), address: saved().advertise, now, log }) },
        );
      } finally {
        ending = false;
      }
    },
    end() {
      ending = true;
    },
    close,
  };
};

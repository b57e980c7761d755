/**
 * Logs of services, as a manager has them for its clients: from whichever nodes run the tasks, each on a connection of its own, so that no client
 * who reads slowly is in the way of a session.
 */
import { notImplemented, unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Kind } from '../../model/swarm/records.js';
import type { Manager } from '../contract.js';
import { specOf } from '../control/restart.js';
import type { RecordChange } from '../mirror/index.js';
import { createGathering, type Gathering, tasksIn } from './gather.js';
import { createSummons, type SummonSettings, type Summons } from './summons.js';

/** Clients that read logs at one time, of one manager. */
const MOST_GATHERINGS = 200;
/** milliseconds: tasks that come together are joined together */
const SOON_MS = 100;

const LOOKED_AT: ReadonlySet<string> = new Set(['task', 'service', 'node'] satisfies Kind[]);

export interface ServiceLogs extends Pick<Summons, 'pass' | 'taker'> {
  readonly logs: Manager['logs'];
  changed(changes: readonly RecordChange[]): void;
  close(): void;
}

export const createServiceLogs = (settings: SummonSettings & { readonly log: Logger }): ServiceLogs => {
  const { state, log } = settings;
  const summons = createSummons(settings);
  const gatherings = new Set<Gathering>();
  let timer: NodeJS.Timeout | undefined;

  const lookSoon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const gathering of [...gatherings]) gathering.look();
    }, SOON_MS);
  };

  /** Docker's node says so in its own log, and its client waits. */
  const check = (selection: Parameters<Manager['logs']>[0]): void => {
    const tasks = tasksIn(state, selection);
    const unread = tasks.filter((task) => specOf(state, task)?.task.logDriver?.name === 'none');
    if (tasks.length > 0 && unread.length === tasks.length)
      throw notImplemented('configured logging driver does not support reading');
    if (gatherings.size >= MOST_GATHERINGS)
      throw unavailable(`this manager brings the logs of services to ${MOST_GATHERINGS} clients already`);
  };

  return {
    ...{ pass: summons.pass, taker: summons.taker },
    logs(selection, wish, gone) {
      check(selection);
      const gathering = createGathering(
        { state, log, call: summons.call, gone: () => gatherings.delete(gathering) },
        selection,
        wish,
      );
      gatherings.add(gathering);
      if (gone.aborted) gathering.close();
      gone.addEventListener('abort', gathering.close, { once: true });
      return { [Symbol.asyncIterator]: gathering.lines };
    },
    changed(changes) {
      if (gatherings.size > 0 && changes.some(({ kind }) => LOOKED_AT.has(kind))) lookSoon();
    },
    close() {
      clearTimeout(timer);
      for (const gathering of [...gatherings]) gathering.close();
    },
  };
};

/**
 * The path check: does what containers send to other hosts come back? One way is looked at a minute, whatever number of hosts there are;
 * a host that is new, or whose way was found wrong, sooner. What is seen twice in a row is told, in the log and by `docker info`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterSide } from '../../engine/cluster.js';
import type { Logger } from '../../log.js';
import { judge, type Seen } from './judge.js';
import { look } from './probe.js';

/** milliseconds */
const LOOK_MS = 5_000;
const AGAIN_MS = 60_000;
const FAULTY_AGAIN_MS = 30_000;

/** What is known of the way to one host. */
interface Known {
  readonly at: number;
  /** what was said of it last; undefined: it was well */
  readonly said: string | undefined;
  /** and the same before: it is told */
  readonly told: boolean;
}

export interface PathSettings {
  readonly side: Pick<ClusterSide, 'vteps' | 'wayTo'>;
  /** ids of hosts that Serf does not hear; absent: nobody asks Serf */
  readonly failed?: ReadonlySet<string>;
  readonly log: Logger;
  readonly now?: () => number;
  readonly probe?: typeof look;
  /** milliseconds between two looks whether something is due */
  readonly every?: number;
}

export interface PathCheck {
  /** sentences about ways that are not as they should be */
  warnings(): readonly string[];
  close(): Promise<void>;
}

/** Whose turn it is: who is new, then whose fault is to be seen again, then who waits longest, one a minute. */
export const nextOf = (
  hosts: readonly string[],
  known: ReadonlyMap<string, Known>,
  now: number,
): string | undefined => {
  let [oldest, newest]: [string | undefined, number] = [undefined, -Infinity];
  let since = Infinity;
  let faulty: string | undefined;
  for (const id of hosts) {
    const found = known.get(id);
    if (!found) return id;
    const { at, said, told } = found;
    if (said !== undefined && (!told || now - at >= FAULTY_AGAIN_MS)) faulty ??= id;
    if (at < since) [oldest, since] = [id, at];
    newest = Math.max(newest, at);
  }
  return faulty ?? (now - newest >= AGAIN_MS ? oldest : undefined);
};

export const startPathCheck = (settings: PathSettings): PathCheck => {
  const { side, failed, log, now = () => performance.now(), probe = look, every = LOOK_MS } = settings;
  const known = new Map<string, Known>();
  const over = new AbortController();
  const { signal } = over;

  const others = (): readonly string[] => side.vteps().flatMap(({ id, own }) => (own ? [] : [id]));

  const note = (id: string, said: string | undefined): void => {
    const before = known.get(id);
    const again = said !== undefined && before?.said !== undefined;
    if (again && !(before.told && before.said === said)) log.warn({ host: id }, said);
    if (said === undefined && before?.told)
      log.info({ host: id }, 'what containers send there comes back again');
    known.set(id, { at: now(), said, told: again });
  };

  const check = async (): Promise<void> => {
    const hosts = others();
    for (const id of known.keys()) if (!hosts.includes(id)) known.delete(id);
    const reachable = hosts.filter((id) => side.wayTo(id) !== undefined);
    for (const id of hosts) if (!reachable.includes(id)) known.delete(id);
    const id = nextOf(reachable, known, now());
    const way = id === undefined ? undefined : side.wayTo(id);
    if (id === undefined || !way) return;
    const seen: Seen = await probe(way, !failed?.has(id), signal);
    // A container that has gone meanwhile says nothing of the way.
    if (side.wayTo(id)?.to === way.to) note(id, judge(way, seen));
  };

  const run = async (): Promise<void> => {
    let told = '';
    while (!signal.aborted) {
      await pause(every, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      await check().catch((error: unknown) => {
        if (signal.aborted || String(error) === told) return;
        told = String(error);
        log.info({ error: told }, 'whether packets reach other hosts is not looked at');
      });
    }
  };
  const running = run();

  return {
    warnings: () =>
      [...known.values()].flatMap(({ said, told }) => (told && said !== undefined ? [said] : [])),
    async close() {
      over.abort();
      await running;
    },
  };
};

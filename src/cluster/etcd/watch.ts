/**
 * From the lines of a watch to batches of whole revisions. Pure but for its input. What etcd sends in fragments is put together
 * up to the last revision that may have more to come.
 */
import type { WatchBatch, WatchEvent } from './contract.js';
import { EtcdError, refusal, unavailable } from './failure.js';
import { type WatchResult, watchLine } from './wire.js';

const revisionOf = (event: WatchEvent): number =>
  event.type === 'put' ? event.entry.modRevision : event.modRevision;

const eventsOf = ({ events }: WatchResult): readonly WatchEvent[] =>
  events.map(({ type, kv }) =>
    type === 'PUT'
      ? { type: 'put', entry: kv }
      : { type: 'delete', key: kv.key, modRevision: kv.modRevision },
  );

/** Throws EtcdError where the line ends the watch. */
const resultOf = (line: unknown): WatchResult => {
  const { data } = watchLine.safeParse(line);
  if (!data) throw unavailable('etcd watch: a line that is not etcd’s', true);
  if (data.error !== undefined) throw refusal(data.error, 'watch');
  if (!data.result) throw unavailable('etcd watch: an empty line', true);
  const { canceled, compact_revision, cancel_reason } = data.result;
  if (compact_revision > 0)
    throw new EtcdError(
      { kind: 'compacted', revision: compact_revision },
      `etcd watch: revisions before ${compact_revision} are gone`,
    );
  if (canceled) throw refusal({ message: cancel_reason || 'canceled' }, 'watch');
  return data.result;
};

/** Ends when the lines do. */
export async function* batches(lines: AsyncIterable<unknown>): AsyncGenerator<WatchBatch> {
  let held: readonly WatchEvent[] = [];
  for await (const line of lines) {
    const result = resultOf(line);
    // Its revision is the store's, and says nothing of what is still to be told.
    if (result.created) continue;
    const events = [...held, ...eventsOf(result)];
    const last = events.at(-1);
    if (!last) {
      yield { revision: result.header.revision, events: [] };
      continue;
    }
    // The header's revision may be ahead: of a long past only a part is told at a time.
    const revision = revisionOf(last);
    const whole = result.fragment ? events.filter((each) => revisionOf(each) < revision) : events;
    held = result.fragment ? events.filter((each) => revisionOf(each) === revision) : [];
    if (whole.length > 0) yield { revision: result.fragment ? revision - 1 : revision, events: whole };
  }
}

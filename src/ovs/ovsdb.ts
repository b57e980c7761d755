/**
 * The database's client (RFC 7047), synchronous: each exchange has a connection of its own. A change waits until
 * ovs-vswitchd has carried it out (`next_cfg` and `cur_cfg` of ovs-vswitchd.conf.db(5), as ovs-vsctl does).
 */
import { join } from 'node:path';
import { internal } from '../errors.js';
import { echoReply, JsonSplitter, type Message, parseMessage, request } from './json.js';
import { ADVANCE, ROOT } from './operations.js';
import { type Patience, Stream } from './stream.js';
import { isRecord, numberOf, type Operation, type Row, type Tables } from './values.js';

/** One connection. Notifications that come before an answer are kept for `update`. */
class Session {
  readonly #stream: Stream;
  readonly #splitter = new JsonSplitter();
  readonly #waiting: Message[] = [];
  readonly #updates: Message[] = [];
  #id = 0;

  constructor(path: string, deadline: number) {
    this.#stream = new Stream(path, deadline);
  }

  call(method: string, params: readonly unknown[]): unknown {
    this.#id += 1;
    const id = this.#id;
    this.#stream.write(request(id, method, params));
    for (;;) {
      const message = this.#next();
      if (message.method !== undefined) this.#updates.push(message);
      if (message.method !== undefined || message.id !== id) continue;
      if (message.error !== null && message.error !== undefined)
        throw internal(`Open vSwitch refused ${method}: ${JSON.stringify(message.error).slice(0, 512)}`);
      return message.result;
    }
  }

  /** The next notification of a monitor. */
  update(): unknown {
    for (;;) {
      const message = this.#updates.shift() ?? this.#next();
      if (message.method === 'update' && Array.isArray(message.params)) return message.params[1];
    }
  }

  close(): void {
    this.#stream.close();
  }

  #next(): Message {
    for (;;) {
      const known = this.#waiting.shift();
      if (!known) this.#waiting.push(...this.#splitter.push(this.#stream.read()).map(parseMessage));
      else if (known.method === 'echo') this.#stream.write(echoReply(known.id, known.params));
      else return known;
    }
  }
}

/** Each operation's result; a transaction is refused as a whole, and says in one of the results why. */
const results = (answer: unknown): readonly Readonly<Record<string, unknown>>[] => {
  const list = Array.isArray(answer) ? answer.map((r) => (isRecord(r) ? r : {})) : [];
  const refused = list.find((r) => r.error !== undefined && r.error !== null);
  if (refused)
    throw internal(
      `Open vSwitch refused a change: ${String(refused.error)} ${String(refused.details ?? '')}`,
    );
  return list;
};

const rowsOf = (result: Readonly<Record<string, unknown>> | undefined): readonly Row[] =>
  Array.isArray(result?.rows) ? result.rows.filter(isRecord) : [];

/** `cur_cfg` out of a monitor's first answer or of an update. */
const currentOf = (updates: unknown): number => {
  const rows = isRecord(updates) && isRecord(updates[ROOT]) ? Object.values(updates[ROOT]) : [];
  return Math.max(
    -1,
    ...rows.map((row) => (isRecord(row) && isRecord(row.new) ? (numberOf(row.new.cur_cfg) ?? -1) : -1)),
  );
};

export class Ovsdb {
  readonly path: string;

  constructor(
    runDirectory: string,
    private readonly patience: Patience,
  ) {
    this.path = join(runDirectory, 'db.sock');
  }

  /** The rows of each selection, in order. Throws unavailable where Open vSwitch is silent. */
  select(
    selections: readonly { table: string; columns: readonly string[]; name?: string }[],
  ): readonly (readonly Row[])[] {
    const operations = selections.map(({ table, columns, name }) => ({
      op: 'select',
      table,
      columns,
      where: name === undefined ? [] : [['name', '==', name]],
    }));
    return this.#session((session) => results(session.call('transact', [ROOT, ...operations])).map(rowsOf));
  }

  /** All rows of some tables, with these columns. */
  tables(columns: Readonly<Record<string, readonly string[]>>): Tables {
    const names = Object.keys(columns);
    const found = this.select(names.map((table) => ({ table, columns: columns[table] ?? [] })));
    return Object.fromEntries(names.map((table, i) => [table, found[i] ?? []]));
  }

  /** All or nothing, and carried out by ovs-vswitchd when it returns. */
  change(operations: readonly Operation[]): void {
    this.#session(
      (session) => {
        const monitored = { [ROOT]: { columns: ['cur_cfg'] } };
        let current = currentOf(session.call('monitor', [ROOT, 'viaduct', monitored]));
        const done = results(session.call('transact', [ROOT, ...operations, ...ADVANCE]));
        const wanted = numberOf(rowsOf(done.at(-1))[0]?.next_cfg) ?? 0;
        while (current < wanted) current = Math.max(current, currentOf(session.update()));
      },
      operations.length > 0 ? 'change' : 'answer',
    );
  }

  /** Into the database, whoever reads it when: for taking things away while ovs-vswitchd does not listen. */
  note(operations: readonly Operation[]): void {
    this.#session((session) => results(session.call('transact', [ROOT, ...operations])));
  }

  #session<T>(work: (session: Session) => T, what: 'answer' | 'change' = 'answer'): T {
    return this.patience.attempt((deadline) => {
      const session = new Session(this.path, deadline);
      try {
        return work(session);
      } finally {
        session.close();
      }
    }, what);
  }
}

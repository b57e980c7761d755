/**
 * Hears of what others change in Open vSwitch, asynchronously: a monitor of the database, and once a second a count of our
 * flows on each bridge that has some (flows are in ovs-vswitchd's memory: they go when it is started again, and nobody
 * tells). Invariant: nothing here ever waits, so a hanging Open vSwitch costs nothing.
 */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { echoReply, JsonSplitter, type Message, parseMessage, request } from './json.js';
import { type Answer, countFlows, flowCount, message, OFPT, splitAnswers } from './openflow.js';
import { ADVANCE, ROOT } from './operations.js';
import { Replica } from './replica.js';
import { COLUMNS, type OvsState, stateOf } from './state.js';
import { numberOf } from './values.js';

const TICK_MS = 1_000;
const COALESCE_MS = 50;
/** Longer than this a bridge does not take to count. */
const COUNT_MS = 800;

export interface OvsWatchParts {
  readonly runDirectory: string;
  /** is there anything to watch for? Without it nobody is asked. */
  readonly wanted: () => boolean;
  /** does the database differ from what our plans made of it? */
  readonly drifted: (state: OvsState) => boolean;
  /** bridge → how many flows our plans made */
  readonly flows: () => ReadonlyMap<string, number>;
  readonly onDrift: () => void;
}

export class OvsWatch {
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | undefined;
  #replica = new Replica();
  #soon: NodeJS.Timeout | undefined;
  #counting = false;
  /** from what our plans made, when it was last compared */
  #differed = false;
  /** `cur_cfg` by which ovs-vswitchd shows that it is there; then everything is looked at, for what was missed */
  #owed: number | undefined;
  #closed = false;

  constructor(private readonly parts: OvsWatchParts) {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    // Whoever begins to watch tells right afterwards what is there.
    queueMicrotask(() => this.#tick());
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#socket?.destroy();
  }

  #tick(): void {
    if (this.#closed || !this.parts.wanted()) {
      this.#socket?.destroy();
      return;
    }
    if (!this.#socket) this.#connect();
    else void this.#count();
  }

  #connect(): void {
    const socket = connect({ path: join(this.parts.runDirectory, 'db.sock') });
    const splitter = new JsonSplitter();
    this.#socket = socket.unref();
    this.#replica = new Replica();
    this.#owed = undefined;
    this.#differed = false;
    socket.on('connect', () => {
      const columns = Object.fromEntries(
        Object.entries(COLUMNS).map(([table, names]) => [
          table,
          { columns: names.filter((n) => n !== '_uuid') },
        ]),
      );
      const monitored = { ...columns, [ROOT]: { columns: ['next_cfg', 'cur_cfg'] } };
      socket.write(
        Buffer.concat([
          request(1, 'monitor', [ROOT, 'viaduct', monitored]),
          request(2, 'transact', [ROOT, ...ADVANCE]),
        ]),
      );
    });
    socket.on('data', (bytes) => {
      try {
        for (const text of splitter.push(bytes)) this.#hear(socket, parseMessage(text));
      } catch {
        socket.destroy(); // the next tick begins anew
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  #hear(socket: Socket, { id, method, params, result }: Message): void {
    if (method === 'echo') socket.write(echoReply(id, params));
    else if (method === 'update' && Array.isArray(params)) {
      this.#replica.update(params[1]);
      this.#compareSoon();
    } else if (method === undefined && id === 1) {
      this.#replica.update(result);
      this.#compareSoon();
    } else if (method === undefined && id === 2)
      this.#owed = Array.isArray(result) ? nextOf(result[1]) : undefined;
  }

  /** What has come by then is read before it is compared: what a plan of ours did in this very turn is among it. */
  #compareSoon(): void {
    const compare = (): void => {
      this.#soon = undefined;
      if (this.#socket && !this.#closed) this.#compare();
    };
    this.#soon ??= setTimeout(() => setImmediate(compare), COALESCE_MS).unref();
  }

  /** Our plans are made at once, and the database tells of them a while later: what differs is drift when it still does the next time. */
  #compare(): void {
    const { tables } = this.#replica;
    const [root] = tables[ROOT] ?? [];
    const back = this.#owed !== undefined && (numberOf(root?.cur_cfg) ?? 0) >= this.#owed;
    if (back) this.#owed = undefined;
    const differs = this.parts.drifted(stateOf(tables));
    const drifted = back || (differs && this.#differed);
    this.#differed = differs && !drifted;
    if (drifted) this.parts.onDrift();
    else if (differs) this.#compareSoon();
  }

  async #count(): Promise<void> {
    if (this.#counting) return;
    this.#counting = true;
    try {
      const before = [...this.parts.flows()];
      const counts = await Promise.all(
        before.map(([bridge]) => countOn(join(this.parts.runDirectory, `${bridge}.mgmt`))),
      );
      const now = this.parts.flows();
      // A plan of ours that was carried out meanwhile makes the count worthless.
      const lost = before.some(([bridge, n], i) => {
        const found = counts[i];
        return found !== undefined && found !== n && now.get(bridge) === n;
      });
      if (lost && !this.#closed) this.parts.onDrift();
    } finally {
      this.#counting = false;
    }
  }
}

const nextOf = (result: unknown): number | undefined => {
  const rows = typeof result === 'object' && result !== null && 'rows' in result ? result.rows : undefined;
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  return typeof row === 'object' && row !== null && 'next_cfg' in row ? numberOf(row.next_cfg) : undefined;
};

/** How many flows of ours a bridge has; undefined: it did not say. */
const countOn = (path: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ path }).unref();
    let kept: Buffer = Buffer.alloc(0);
    const end = (count: number | undefined): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(count);
    };
    const late = setTimeout(() => end(undefined), COUNT_MS).unref();
    const hear = (answer: Answer): void => {
      if (answer.type === OFPT.HELLO) socket.write(countFlows(2));
      else if (answer.type === OFPT.MULTIPART_REPLY) end(flowCount(answer));
      else if (answer.type === OFPT.ERROR) end(undefined);
    };
    socket.on('connect', () => socket.write(message(OFPT.HELLO, 1)));
    socket.on('data', (bytes) => {
      const { answers, rest } = splitAnswers(Buffer.concat([kept, bytes]));
      kept = Buffer.from(rest);
      for (const answer of answers) hear(answer);
    });
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
  });

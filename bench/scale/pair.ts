/** Two engines of Viaduct side by side: one that is filled, and one that stays empty. */
import { inTurn } from '../bench.js';
import type { Engine } from '../engine.js';
import { type Client, createClient } from '../http.js';
import { type Pinger, startPinger } from '../load/processes.js';
import type { Recorder, Side } from './series.js';

export interface Pair {
  readonly grown: Engine;
  readonly empty: Engine;
  /** path of the `docker` client */
  readonly client: string;
  readonly quick: boolean;
  readonly record: Recorder;
  say(text: string): void;
}

export interface Figure {
  /** as `--only` takes it */
  readonly name: string;
  readonly about: string;
  /** Leaves both engines empty. */
  readonly measure: (pair: Pair) => Promise<void>;
}

/** Both in turn, so that whatever else the machine does hits both; one round before counts for nothing. */
export const besideEmpty = (
  { grown, empty }: Pair,
  rounds: number,
  turn: (engine: Engine, side: Side, measured: boolean) => Promise<void>,
): Promise<void> =>
  inTurn(
    [grown, empty],
    rounds,
    (engine, measured) => turn(engine, engine === grown ? 'grown' : 'empty', measured),
    1,
  );

/** `work` for each of `count`, so many at a time; `who`: which of those. */
export const atATime = async (
  many: number,
  count: number,
  work: (index: number, who: number) => Promise<unknown>,
): Promise<void> => {
  let next = 0;
  const run = async (who: number): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index, who);
  };
  await Promise.all(Array.from({ length: many }, (_, who) => run(who)));
};

/** `work` for each of `count`, by `clients` connections at a time. */
export const inParallel = async (
  engine: Engine,
  count: number,
  clients: number,
  work: (client: Client, index: number) => Promise<unknown>,
): Promise<void> => {
  const connections = Array.from({ length: clients }, () => createClient(engine.socket));
  try {
    await atATime(clients, count, async (index, who) => {
      const client = connections[who];
      if (client) await work(client, index);
    });
  } finally {
    for (const client of connections) client.close();
  }
};

/** What a client that only pings sees while `work` is done. */
const whilePinging = async (engine: Engine, work: (pinger: Pinger) => Promise<void>): Promise<void> => {
  const pinger = await startPinger(engine.world.netns.host, engine.socket);
  try {
    await work(pinger);
  } finally {
    pinger.stop();
  }
};

/** The same, and at the same time what a client of the empty engine sees, where nothing is done: what the machine takes. */
export const whilePingingBoth = (
  { grown, empty }: Pair,
  work: (
    seen: () => Promise<readonly (readonly [Side, Awaited<ReturnType<Pinger['seen']>>])[]>,
  ) => Promise<void>,
): Promise<void> =>
  whilePinging(empty, (quiet) =>
    whilePinging(grown, (pinger) =>
      work(async () => [
        ['grown', await pinger.seen()],
        ['empty', await quiet.seen()],
      ]),
    ),
  );

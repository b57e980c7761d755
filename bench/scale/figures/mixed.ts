/** Clients that create, start, connect, inspect, list and remove, each one thing after the other: how long reads wait beside writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { containerBody, idOf } from '../../bench.js';
import { type Client, createClient } from '../../http.js';
import type { Figure, Pair } from '../pair.js';
import type { Curve } from '../series.js';

const along = 'clients';
const READS: Curve = {
  title: 'reads (inspect, list) of clients that also write',
  along,
  unit: 'ms',
  goal: { kind: 'most', value: 10 },
  floor: {
    of: 'empty',
    why: 'a list of an engine that does nothing, asked for in the same seconds: the processors are taken by crun, conmon and the kernel. What is above it is a turn of the loop that the others’ writes have',
  },
};
const WRITES: Curve = {
  title: 'writes of the same clients (create, start, connect, rm …)',
  along,
  unit: 'ms',
};
const PER_SECOND: Curve = { title: 'requests of the same clients a second', along, unit: '1/s' };

interface Told {
  readonly reads: number[];
  readonly writes: number[];
}

/** One container's life, each write followed by two reads. */
const life = async (client: Client, network: string, body: string, told: Told): Promise<void> => {
  const write = async (method: string, path: string, what?: unknown): Promise<unknown> => {
    const { ms, json } = await client.call(method, path, what);
    told.writes.push(ms);
    return json;
  };
  const read = async (path: string): Promise<void> =>
    void told.reads.push((await client.call('GET', path)).ms);
  const look = async (id: string): Promise<void> => {
    await read(`/containers/${id}/json`);
    await read('/containers/json?all=1');
  };
  const id = idOf(await write('POST', '/containers/create', body));
  await look(id);
  await write('POST', `/containers/${id}/start`);
  await look(id);
  await write('POST', `/networks/${network}/connect`, { Container: id });
  await look(id);
  await write('POST', `/networks/${network}/disconnect`, { Container: id });
  await look(id);
  await write('DELETE', `/containers/${id}?force=1&v=1`);
};

/** Milliseconds between two reads of the empty engine, so that it takes next to nothing of the machine itself. */
const PAUSE_MS = 50;

const run = async ({ grown, empty, quick, record }: Pair, clients: number): Promise<void> => {
  const told: Told = { reads: [], writes: [] };
  const network = idOf((await grown.api('POST', '/networks/create', { Name: 'shared' })).json);
  const body = containerBody('bridge');
  const seconds = quick ? 5 : 30;
  let going = true;
  const one = async (): Promise<void> => {
    const client = createClient(grown.socket);
    while (going) await life(client, network, body, told);
    client.close();
  };
  const beside = async (): Promise<void> => {
    while (going) {
      record.add(READS, clients, 'empty', (await empty.api('GET', '/containers/json?all=1')).ms);
      await sleep(PAUSE_MS);
    }
  };
  const all = Promise.all([...Array.from({ length: clients }, one), beside()]);
  await Promise.race([all, sleep(seconds * 1_000)]);
  going = false;
  await all;
  record.add(READS, clients, 'grown', ...told.reads);
  record.add(WRITES, clients, 'grown', ...told.writes);
  record.add(PER_SECOND, clients, 'grown', (told.reads.length + told.writes.length) / seconds);
  await grown.api('DELETE', `/networks/${network}`);
};

const measure = async (pair: Pair): Promise<void> => {
  for (const clients of [1, 8, 24]) {
    pair.say(`${clients} clients`);
    await run(pair, clients);
  }
};

export const mixed: Figure = {
  name: 'mixed',
  about: 'reads and writes of 1, 8 and 24 clients that create, start, connect, inspect, list and remove',
  measure,
};

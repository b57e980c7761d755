/** Real agents of Serf on addresses of the loopback: who is alive, tags, keys, goodbyes, adoption, and what is left out. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPrograms } from '../../src/cluster/programs.js';
import type { Serf, SerfEvent, SerfProcess, SerfSettings } from '../../src/cluster/serf/contract.js';
import { adoptSerf, newSerfKey, SERF_PORT, startSerf } from '../../src/cluster/serf/process.js';
import { connectSerf } from '../../src/cluster/serf/rpc.js';
import { identify, SIGKILL, signal } from '../../src/kernel/processes.js';
import { until } from '../support/run.js';

const base = mkdtempSync('/tmp/vs-');
const key = newSerfKey();
const { serf: program } = findPrograms();

interface Agent {
  readonly settings: SerfSettings;
  readonly process: SerfProcess;
  readonly serf: Serf;
}
const agents: Agent[] = [];

const settingsOf = (n: number, more: Partial<SerfSettings> = {}): SerfSettings => ({
  name: `node${n}`,
  tags: { role: 'worker' },
  bind: { host: `127.0.0.${n}`, port: SERF_PORT },
  advertise: { host: `127.0.0.${n}`, port: SERF_PORT },
  join: [`127.0.0.1:${SERF_PORT}`],
  keys: [key],
  directory: join(base, String(n)),
  logFile: join(base, `${n}.log`),
  ...more,
});

const start = async (n: number, more: Partial<SerfSettings> = {}): Promise<Agent> => {
  const settings = settingsOf(n, more);
  const process = await startSerf(program, settings);
  const agent = { settings, process, serf: await connectSerf(process.rpc) };
  agents.push(agent);
  return agent;
};

const states = async ({ serf }: Agent): Promise<readonly string[]> =>
  (await serf.members()).map(({ name, state }) => `${name} ${state}`).sort();

let one: Agent;
let two: Agent;
let three: Agent;
const events: SerfEvent[] = [];
const stop = new AbortController();

beforeAll(async () => {
  // The second is there before the one that it is told to meet.
  two = await start(2);
  one = await start(1, { join: [] });
  three = await start(3);
  void (async () => {
    for await (const event of one.serf.events(stop.signal)) events.push(event);
  })();
});
afterAll(async () => {
  stop.abort();
  for (const { serf, process } of agents) {
    serf.close();
    await process.stop();
  }
  rmSync(base, { recursive: true, force: true });
});

test('all find each other, whoever came first, and say where they are', async () => {
  await until('three are alive', async () => (await states(one)).length === 3, 20_000);
  for (const agent of [one, two, three])
    await until(
      'all see all',
      async () => (await states(agent)).join() === 'node1 alive,node2 alive,node3 alive',
    );
  const [first] = await one.serf.members();
  expect(first).toMatchObject({ port: SERF_PORT, tags: { role: 'worker' } });
  expect((await one.serf.members()).map(({ address }) => address).sort()).toEqual([
    '127.0.0.1',
    '127.0.0.2',
    '127.0.0.3',
  ]);
  expect(events[0]?.type).toBe('all');
});

test('files with secrets are root’s alone, and without the secret the agent answers nothing', async () => {
  for (const file of ['agent.json', 'keyring.json', 'serf.json'])
    expect(statSync(join(one.settings.directory, file)).mode & 0o777).toBe(0o600);
  expect(readFileSync(one.settings.logFile, 'utf8')).not.toContain(key);
  await expect(connectSerf({ ...one.process.rpc, secret: 'x' })).rejects.toThrow(
    'Invalid authentication token',
  );
});

test('a changed tag is told to the others', async () => {
  await two.serf.setTags({ manager: 'yes' }, ['role']);
  await until('an update', () =>
    events.some(
      ({ type, members }) => type === 'update' && members[0]?.tags.manager === 'yes' && !members[0].tags.role,
    ),
  );
});

test('who has another key is nobody’s member', async () => {
  const stranger = await start(9, { keys: [newSerfKey()] });
  expect(await stranger.serf.join([`127.0.0.1:${SERF_PORT}`]).catch(() => 0)).toBe(0);
  expect((await states(one)).some((each) => each.includes('node9'))).toBe(false);
});

test('keys are changed without anybody being lost; another cluster’s agent starts with two', async () => {
  const next = newSerfKey();
  await one.serf.installKey(next);
  expect((await one.serf.keys()).get(next)).toBe(3);
  await one.serf.useKey(next);
  await one.serf.removeKey(key);
  expect([...(await two.serf.keys()).keys()]).toEqual([next]);
  const four = await start(4, { keys: [next, key] });
  await until('the fourth is there', async () => (await states(one)).includes('node4 alive'), 20_000);
  await expect(one.serf.removeKey(next)).rejects.toThrow('Serf refused remove-key');
  await four.serf.leave();
  await four.process.ended;
  await until('it said goodbye', async () => (await states(one)).includes('node4 left'), 20_000);
});

test('the next daemon goes on with the same agent', async () => {
  const adopted = await adoptSerf(two.settings.directory);
  expect(adopted).toMatchObject({ pid: two.process.pid, rpc: two.process.rpc });
  if (!adopted) throw new Error('unreachable');
  const again = await connectSerf(adopted.rpc);
  expect((await again.members()).length).toBeGreaterThanOrEqual(3);
  again.close();
  expect(await adoptSerf(join(base, 'none'))).toBeUndefined();
});

test('who is killed is seen failed, told once, and is back by itself when started again', async () => {
  signal(identify(three.process.pid), SIGKILL);
  await three.process.ended;
  await until(
    'it is failed',
    () => events.some(({ type, members }) => type === 'failed' && members[0]?.name === 'node3'),
    30_000,
  );
  expect(await states(one)).toContain('node3 failed');
  await expect(three.serf.members()).rejects.toThrow('the connection to Serf broke');
  const keys = [...(await one.serf.keys()).keys()] as [string];
  // It finds the others by its snapshot.
  three = await start(3, { join: [], keys });
  await until('it is alive again', async () => (await states(one)).includes('node3 alive'), 20_000);
});

test('an agent whose port is taken says so in its own words', async () => {
  const taken = createServer().on('error', () => {});
  await new Promise<void>((resolve) => taken.listen(SERF_PORT, '127.0.0.8', resolve));
  await expect(startSerf(program, settingsOf(8))).rejects.toThrow(
    /Serf ended when it was started: .*(in use|bind)/s,
  );
  taken.close();
});

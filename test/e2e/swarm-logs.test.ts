/** S3: logs of services, from every manager, by the real client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CLIENTS } from '../support/daemon.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let first: LabHost;
let second: LabHost;
let worker: LabHost;

const readyNodes = async (): Promise<number> =>
  lines(await first.docker('node', 'ls', '--format', '{{.Status}}')).filter((state) => state === 'Ready')
    .length;

beforeAll(async () => {
  lab = await startLab(3, { images: ['alpine'] });
  [first, second, worker] = [lab.host(1), lab.host(2), lab.host(3)];
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = (role: string) => first.docker('swarm', 'join-token', '-q', role);
  await second.docker('swarm', 'join', '--token', await token('manager'), first.ipv4);
  await worker.docker('swarm', 'join', '--token', await token('worker'), first.ipv4);
  await until('all nodes are ready', async () => (await readyNodes()) === 3);
});
afterAll(async () => {
  await lab?.stop();
});
const readers = new Set<Reader>();
afterEach(async () => {
  for (const reader of readers) reader.end();
  readers.clear();
  const left = await first.docker('service', 'ls', '-q');
  if (left !== '') await first.docker('service', 'rm', ...left.split('\n'));
});

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
const create = (name: string, script: string, ...args: string[]): Promise<string> =>
  first.docker(
    ...[
      'service',
      'create',
      '-q',
      '--name',
      name,
      '--restart-delay',
      '0s',
      '--stop-signal',
      'SIGKILL',
      ...args,
    ],
    ...['alpine', 'sh', '-c', script],
  );
/** What the client says of it, on both of its streams. */
const logs = async (host: LabHost, ...args: string[]): Promise<readonly string[]> => {
  const { stdout, stderr } = await host.docker.try(['service', 'logs', ...args], { timeoutMs: 60_000 });
  return lines(`${stdout}${stderr}`).toSorted();
};
/** Written once by each task, which then stays. */
const ONCE = 'echo out $SLOT; echo err $SLOT >&2; exec sleep inf';
const SLOT = ['--env', 'SLOT={{.Task.Slot}}'];
const HERE = ['--constraint', 'node.role==worker'];

interface Reader {
  readonly process: ChildProcess;
  /** what it has said so far */
  said(): string;
  /** From now on it is read. */
  read(): void;
  end(): void;
}

/** The client, at work; it is not read before it is told to be. */
const follow = (host: LabHost, ...args: string[]): Reader => {
  const env = { ...process.env, DOCKER_HOST: `unix://${host.socket}` };
  const child = spawn(CLIENTS[0] ?? 'docker', ['service', 'logs', '-f', ...args], { env });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  child.on('error', () => {}); // a test sees that it says nothing
  const reader: Reader = {
    process: child,
    said: () => Buffer.concat(said).toString(),
    read: () => void child.stdout.on('data', (chunk: Buffer) => said.push(chunk)),
    end: () => void child.kill('SIGKILL'),
  };
  readers.add(reader);
  return reader;
};
const reading = (host: LabHost, ...args: string[]): Reader => {
  const reader = follow(host, ...args);
  reader.read();
  return reader;
};
const untilSaid = (reader: Reader, text: string, times = 1, patience = 20_000) =>
  until(`it says ${text}`, () => reader.said().split(text).length > times, patience);

/** Connections by which the worker brings logs: all that it has to managers but its session. */
const brought = async (): Promise<number> =>
  Number(await worker.host('ss -Htn state established dport = :2377 | wc -l')) - 1;

const STATUS = (host: LabHost): string => readFileSync(`/proc/${host.pid()}/status`, 'utf8');
/** megabytes of its daemon */
const memory = (host: LabHost): number => Number(/VmRSS:\s+(\d+)/.exec(STATUS(host))?.[1]) / 1024;

/** `web.1 text` of `web.1.ID@host1    | text` */
const short = (line: string): string => line.replace(/^(\w+\.\d+)\.\w+@(host\d) +\| /, '$1 ');

test('S3: a service’s log has what all of its tasks wrote, from each manager', async () => {
  await create('web', ONCE, '--replicas', '3', ...SLOT);
  const nodes = lines(await first.docker('service', 'ps', '--format', '{{.Node}}', 'web'));
  expect(nodes.toSorted()).toEqual(['host1', 'host2', 'host3']);
  const all = ['web.1 err 1', 'web.1 out 1', 'web.2 err 2', 'web.2 out 2', 'web.3 err 3', 'web.3 out 3'];
  for (const host of [first, second]) {
    await until('all have written', async () => (await logs(host, 'web')).length === all.length);
    const found = await logs(host, 'web');
    expect(found.map(short)).toEqual(all);
    expect(new Set(found.map((line) => /@(host\d)/.exec(line)?.[1]))).toEqual(new Set(nodes));
  }
  expect((await worker.docker.try(['service', 'logs', 'web'])).stderr).toContain('not a swarm manager');
});

test('S3: a task’s log is its own, also when it has ended', async () => {
  const id = ['--env', 'ID={{.Task.ID}}'];
  await create('job', 'echo of $ID', '--mode', 'replicated-job', '--replicas', '2', ...id);
  const tasks = lines(await first.docker('service', 'ps', '-q', '--no-trunc', 'job'));
  expect(tasks).toHaveLength(2);
  for (const task of tasks) expect(await logs(second, '--raw', task)).toEqual([`of ${task}`]);
  expect(await logs(first, '--raw', 'job')).toEqual(tasks.map((task) => `of ${task}`).toSorted());
});

test('S3: the last lines of each task, those since a moment, with times and whose they are', async () => {
  const script =
    'for i in 1 2 3; do echo line $i; done; until test -e /go; do sleep 0.1; done; echo late; exec sleep inf';
  await create('lines', script, '--replicas', '2', ...HERE);
  const moment = await worker.host('date +%s.%N');
  const label = 'label=com.docker.swarm.service.name=lines';
  for (const id of lines(await worker.docker('ps', '-q', '--filter', label)))
    await worker.docker('exec', id, 'touch', '/go');
  await until('all is written', async () => (await logs(first, '--raw', 'lines')).length === 8);
  expect(await logs(second, '--raw', '--tail', '2', 'lines')).toEqual(['late', 'late', 'line 3', 'line 3']);
  expect(await logs(first, '--raw', '--since', moment, 'lines')).toEqual(['late', 'late']);
  const [timed = ''] = await logs(first, '-t', '--tail', '1', 'lines');
  expect(timed).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z lines\.\d\.\w+@host\d +\| late$/);
  const when = timed.split(' ')[0] ?? '';
  expect(await logs(first, '--raw', '--since', when, 'lines')).toContain('late');
  const id = await first.docker('service', 'inspect', '--format', '{{.ID}}', 'lines');
  const [whose = ''] = await logs(first, '--details', '--raw', '--tail', '1', 'lines');
  expect(whose).toMatch(/late$/);
  const api = (query: string) =>
    first.host(
      `curl -s --unix-socket ${first.socket} 'http://d/v1.40/services/${id}/logs?${query}' | tr -cd '[:print:]'`,
    );
  expect(await api('stdout=1&details=1&timestamps=1&tail=1')).toMatch(
    new RegExp(
      `\\d{9}Z com.docker.swarm.node.id=\\w{25},com.docker.swarm.service.id=${id},com.docker.swarm.task.id=\\w{25} late`,
    ),
  );
  expect(await api('stdout=1&tail=-3')).toContain('negative tail values not supported');
  expect(await api('tail=1')).toContain("at least one of 'stdout' or 'stderr'");
});

test('S3: a follower hears of tasks that come later, on other nodes too, and of a service’s end', async () => {
  await create('grows', 'echo begins $SLOT; exec sleep inf', ...HERE, ...SLOT);
  const whole = reading(first, 'grows');
  const fresh = reading(second, '--tail', '0', 'grows');
  await untilSaid(whole, 'begins 1');
  await until('both are brought logs', async () => (await brought()) === 2);
  await first.docker('service', 'scale', '-d', 'grows=3');
  for (const each of [whole, fresh]) for (const slot of [2, 3]) await untilSaid(each, `begins ${slot}`);
  const everywhere = ['--constraint-rm', 'node.role==worker', '--env-add', 'SLOT=new'];
  await first.docker('service', 'update', '-d', '--update-parallelism', '0', ...everywhere, 'grows');
  for (const each of [whole, fresh]) {
    await untilSaid(each, 'begins new', 3);
    const nodes = each.said().matchAll(/@(host\d) +\| begins new/g);
    expect([...nodes].map(([, node]) => node).toSorted()).toEqual(['host1', 'host2', 'host3']);
  }
  expect([whole, fresh].map((each) => each.said().split('begins 1').length - 1)).toEqual([1, 0]);
  await first.docker('service', 'rm', 'grows');
  for (const each of [whole, fresh]) {
    await until('the client ends', () => each.process.exitCode !== null);
    expect(each.said()).not.toContain('rror');
  }
});

test('S3: a log that is not kept is refused, a terminal’s comes as it is', async () => {
  await create('mute', ONCE, '--log-driver', 'none');
  const { code, stderr } = await first.docker.try(['service', 'logs', 'mute']);
  expect([code, stderr.trim()]).toEqual([
    1,
    'Error response from daemon: configured logging driver does not support reading',
  ]);
  await create('screen', 'echo hello; exec sleep inf', '--tty');
  expect(await first.docker('service', 'logs', '--raw', 'screen')).toContain('hello');
  expect((await first.docker.try(['service', 'logs', 'none-such'])).stderr).toContain(
    'no such task or service',
  );
});

const MEGABYTES = 100;
const LINE = 'x'.repeat(999);
const COUNT = (MEGABYTES * 1_000_000) / 1000;

test('S3: who does not read holds nobody up, and gets all of it when he does', async () => {
  await create('ready', 'exec sleep inf', ...HERE);
  const before = lab.hosts.map(memory);
  const script = `until test -e /go; do sleep 0.1; done; yes ${LINE} | head -n ${COUNT}; touch /done; exec sleep inf`;
  await create('much', script, ...HERE);
  const lazy = [follow(first, '--raw', 'much'), follow(second, '--raw', 'much')];
  await until('both are brought logs', async () => (await brought()) === 2);
  const label = 'label=com.docker.swarm.service.name=much';
  const id = await worker.docker('ps', '-q', '--filter', label);
  await worker.docker('exec', id, 'touch', '/go');
  await until(
    'it has written all',
    async () => (await worker.docker.try(['exec', id, 'test', '-e', '/done'])).code === 0,
    60_000,
  );
  // Heartbeats of three periods are missed by then if any are.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(await readyNodes()).toBe(3);
  const asked = performance.now();
  await first.docker('service', 'update', '-q', '--env-add', 'A=1', '--update-monitor', '1s', 'ready');
  expect(performance.now() - asked).toBeLessThan(20_000);
  const grown = lab.hosts.map((host, at) => Math.round(memory(host) - (before[at] ?? 0)));
  console.log(`megabytes grown while ${MEGABYTES} MB were not read: ${grown.join(', ')}`);
  for (const each of grown) expect(each).toBeLessThan(MEGABYTES / 2);
  const begun = performance.now();
  let got = 0;
  lazy[1]?.process.stdout?.on('data', (chunk: Buffer) => {
    got += chunk.length;
  });
  await until('all has come', () => got >= COUNT * 1000, 120_000);
  console.log(`${MEGABYTES} MB followed in ${Math.round(performance.now() - begun)} ms`);
  expect(got).toBe(COUNT * 1000);
}, 240_000);

test('S3: a client that is killed leaves nothing behind', async () => {
  await create('kept', ONCE, ...HERE);
  const client = reading(first, 'kept');
  await untilSaid(client, 'out');
  expect(await brought()).toBe(1);
  client.end();
  await until('its connection is gone', async () => (await brought()) === 0);
});

test('S3: a node that is lost ends its part with a line, and hangs nobody', async () => {
  await create('lost', ONCE, '--replicas', '3', ...SLOT);
  const placed = lines(await first.docker('service', 'ps', '--format', '{{.Name}} {{.Node}}', 'lost'));
  const [gone = ''] = placed.filter((task) => task.endsWith('host3')).map((task) => task.split(' ')[0]);
  expect(gone).not.toBe('');
  const client = reading(second, 'lost');
  await untilSaid(client, 'out', 3);
  await worker.crash();
  try {
    const begun = performance.now();
    const found = await logs(first, 'lost');
    const after = performance.now() - begun;
    console.log(`incomplete after ${Math.round(after)} ms`);
    expect(after).toBeLessThan(15_000);
    const written = found.map(short).filter((line) => line.startsWith('lost.'));
    expect(written.filter((line) => line.includes('out')).map((line) => line.split(' ')[0])).toEqual(
      ['lost.1', 'lost.2', 'lost.3'].filter((task) => task !== gone),
    );
    expect(found.join()).toMatch(
      /error from daemon in stream: Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream. some logs could not be retrieved for the following reasons: node \w{25} is not available/,
    );
    // Its task runs elsewhere by then, and who follows hears it.
    await untilSaid(client, 'out', 4, 60_000);
  } finally {
    await worker.start();
  }
  await until('all nodes are ready', async () => (await readyNodes()) === 3, 30_000);
});

test('S3: a follower goes on where it was when a node’s daemon is back', async () => {
  // However long a daemon takes to start here, its node is not given up meanwhile, and its task not made anew.
  await first.docker('swarm', 'update', '--dispatcher-heartbeat', '60s');
  await create('goes-on', 'i=0; while :; do i=$((i+1)); echo line $i.; sleep 0.2; done', ...HERE);
  const client = reading(first, '--raw', 'goes-on');
  await untilSaid(client, 'line 3.');
  await worker.kill9();
  await worker.start();
  const last = (): number => Number(client.said().trimEnd().split('\n').at(-1)?.match(/\d+/)?.[0]);
  const then = last();
  await until('there are more', () => last() > then + 5, 30_000);
  const numbers = lines(client.said()).slice(0, -1);
  expect(numbers).toEqual(numbers.map((_, at) => `line ${at + 1}.`));
});

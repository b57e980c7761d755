/** The daemon dies or stops while containers serve: they go on, and the next daemon knows everything the last one knew. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openConnection } from '../support/connection.js';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });
const { inspect, sleeper, inside } = phrasesFor(d);

const ECHO = ['socat', 'TCP-LISTEN:7,fork,reuseaddr', 'EXEC:cat'];
const FEW = 10;
const ids = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const pidOf = async (name: string): Promise<number> => Number(await inspect('{{.State.Pid}}', name));
const statusOf = (name: string): Promise<string> => inspect('{{.State.Status}}', name);
const running = (name: string) =>
  until(`${name} runs`, async () => (await statusOf(name)) === 'running' && (await pidOf(name)) > 0);

const gone = (pids: readonly number[]) =>
  until('their processes are gone', () => d.world.processes().every((pid) => !pids.includes(pid)));

/** Requests one after the other from the outside, until `FEW` more were served than when it is stopped; answers what failed. */
const requests = (url: string) => {
  const [stop, log] = [join(d.world.base, 'enough'), join(d.world.base, 'codes')];
  writeFileSync(log, '');
  const all = d.outside(
    `while [ ! -e ${stop} ]; do curl -s -o /dev/null --max-time 2 -w '%{http_code}\n' ${url} || echo failed; sleep 0.02; done >${log}`,
    { timeoutMs: 50_000 },
  );
  const codes = (): readonly string[] => ids(readFileSync(log, 'utf8'));
  return async (): Promise<readonly string[]> => {
    const before = codes().length;
    await until('more are answered', () => codes().length > before + FEW);
    writeFileSync(stop, '');
    await all;
    return codes().filter((code) => code !== '200');
  };
};

/** Everything that users see of a daemon's containers and networks. */
const seen = async () => {
  const containers = ids(await d.docker('ps', '-aq', '--no-trunc')).sort();
  const networks = ids(await d.docker('network', 'ls', '-q', '--no-trunc')).sort();
  const shown = async (path: string) => (await d.api('GET', path)).json;
  return {
    containers: await Promise.all(containers.map((id) => shown(`/containers/${id}/json`))),
    networks: await Promise.all(networks.map((id) => shown(`/networks/${id}`))),
  };
};

describe('O3 the daemon dies while containers serve', () => {
  test('O3 kill -9: traffic and connections go on; containers, networks, ports, names and logs are as before', async () => {
    await d.docker('network', 'create', 'front');
    await d.docker('run', '-d', '--name', 'web', '--network', 'front', '-p', '8080:80', 'nginx');
    await d.docker('run', '-d', '--name', 'echo', '--network', 'front', '-p', '7007:7', 'nettools', ...ECHO);
    await sleeper('client', '--network', 'front');
    const count = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done';
    await d.docker('run', '-d', '--name', 'counter', '--stop-timeout', '0', 'alpine', 'sh', '-c', count);
    await until('nginx answers', async () => (await d.outside.try(`curl -s ${HOST.ipv4}:8080`)).code === 0);
    const connection = await openConnection(d, HOST.ipv4, 7007);
    expect(await connection.say('before')).toBe('before');
    const [before, names] = [await seen(), await inside('client', 'nslookup web | tail -n +3')];
    const kernel = await kernelState(d);
    const enough = requests(`http://${HOST.ipv4}:8080/`);

    await d.kill9();
    expect(await connection.say('while it is dead')).toBe('while it is dead');
    expect(await d.host('curl -s http://127.0.0.1:8080/')).toContain('Welcome to nginx!');
    await d.start();
    expect(await connection.say('after')).toBe('after');
    expect(await enough()).toEqual([]);
    connection.close();

    expect(await seen()).toEqual(before);
    expect(await kernelState(d)).toEqual(kernel);
    expect(await inside('client', 'nslookup web | tail -n +3')).toBe(names);
    const counted = async () => ids(await d.docker('logs', 'counter'));
    const dead = (await counted()).length;
    await until('it counts on', async () => (await counted()).length > dead + FEW);
    const numbers = await counted();
    expect(numbers).toEqual(numbers.map((_, i) => String(i + 1)));
    // the port is held again
    const taken = await d.docker.try(['run', '--rm', '-p', '8080:80', 'alpine', 'true']);
    expect(taken.stderr).toContain('port is already allocated');
  });

  test('O3 what ended while the daemon was dead keeps its exit code; --rm removes it', async () => {
    const before = await kernelState(d);
    await d.docker('run', '-d', '--name', 'seven', 'alpine', 'sh', '-c', 'echo last words; sleep 1; exit 7');
    await d.docker('run', '-d', '--name', 'killed', '-p', '8080:80', 'alpine', 'sleep', '600');
    await d.docker('run', '-d', '--rm', '--name', 'passing', 'alpine', 'sleep', '1');
    const pids = await Promise.all(['seven', 'killed', 'passing'].map(pidOf));
    await d.kill9();
    process.kill(pids[1] ?? 0, 'SIGKILL');
    await gone(pids);
    await d.start();
    // conmon may still be writing down an end that the process list shows already
    expect(await d.docker('wait', 'seven', 'killed')).toBe('7\n137');
    expect(await inspect('{{.State.Status}} {{.State.ExitCode}}', 'seven', 'killed')).toBe(
      'exited 7\nexited 137',
    );
    expect(await d.docker('logs', 'seven')).toBe('last words');
    await until(
      '--rm has removed it',
      async () => (await d.docker('ps', '-aq', '--filter', 'name=passing')) === '',
    );
    await d.docker('start', 'killed'); // its port is free
    await d.docker('rm', '-f', 'seven', 'killed');
    expect(await kernelState(d)).toEqual(before);
  });

  test('O3 SIGTERM: exit code 0, containers go on, and nothing has changed for the next daemon', async () => {
    await d.docker('run', '-d', '--name', 'web', '-p', '8080:80', 'nginx');
    await until('nginx answers', async () => (await d.outside.try(`curl -s ${HOST.ipv4}:8080`)).code === 0);
    const before = await seen();
    // clients that wait for more do not hold it up
    const waiting = [['logs', '-f', 'web'], ['events'], ['wait', 'web'], ['attach', 'web']];
    const ended = Promise.all(waiting.map((args) => d.docker.try(args)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const asked = performance.now();
    expect(await d.terminate()).toBe(0);
    expect(performance.now() - asked).toBeLessThan(10_000); // at the latest it ends after 15 s, with an error
    await ended;
    expect(await d.outside(`curl -s http://${HOST.ipv4}:8080/`)).toContain('Welcome to nginx!');
    await d.start();
    expect(await seen()).toEqual(before);
    expect(await d.docker('exec', 'web', 'echo', 'hello')).toBe('hello');
  });

  test('O3 restart policies hold over a daemon that was away', async () => {
    const policies = ['no', 'always', 'unless-stopped', 'on-failure'];
    for (const policy of policies) {
      await sleeper(`dies-${policy}`, '--restart', policy);
      await sleeper(`stopped-${policy}`, '--restart', policy);
      await d.docker('stop', `stopped-${policy}`);
    }
    await d.docker('run', '-d', '--name', 'succeeds', '--restart', 'on-failure', 'alpine', 'sleep', '1');
    const pids = await Promise.all(policies.map((policy) => pidOf(`dies-${policy}`)));
    const succeeds = await pidOf('succeeds');
    await d.kill9();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await gone([...pids, succeeds]);
    await d.start();
    for (const policy of ['always', 'unless-stopped', 'on-failure']) await running(`dies-${policy}`);
    await running('stopped-always');
    expect(await statusOf('dies-no')).toBe('exited');
    expect(await statusOf('stopped-no')).toBe('exited');
    expect(await statusOf('stopped-unless-stopped')).toBe('exited');
    expect(await statusOf('stopped-on-failure')).toBe('exited');
    // conmon may still be writing down an end that the process list shows already
    expect(await d.docker('wait', 'succeeds')).toBe('0');
    expect(await statusOf('succeeds')).toBe('exited');
  });
});

describe('O3 a damaged record', () => {
  const record = () => join(d.dataRoot, 'record');
  const files = () => readdirSync(record()).map((name) => join(record(), name));
  const SET_ASIDE = 'could not be read and was set aside';
  const networks = () => d.docker('network', 'ls', '--format', '{{.Name}}');

  test('O3 cut at any byte, the record is set aside with a clear line in the log, and its copy takes its place', async () => {
    for (let i = 0; i < 12; i += 1) await d.docker('network', 'create', `net-${i}`);
    await d.docker('run', '-d', '--name', 'web', '--network', 'net-11', '-p', '8080:80', 'nginx');
    await d.kill9();
    const cuts = (length: number, end: number) => [0, 1, end >> 1, end - 1, end, length - 1];
    for (const kind of ['.tail', '.snapshot'])
      for (let nth = 0; nth < cuts(0, 0).length; nth += 1) {
        const file = files().find((name) => name.endsWith(kind)) ?? '';
        const whole = readFileSync(file);
        const end = kind === '.tail' ? whole.indexOf(0) : whole.length - 2;
        const cut = cuts(whole.length, end)[nth] ?? 0;
        truncateSync(file, cut);
        const said = d.log().length;
        await d.start();
        const log = d.log().slice(said);
        expect(await networks(), `${kind} cut at ${cut}`).toContain('net-11');
        // the end of a tail may be missed by nobody
        if (log.includes(SET_ASIDE)) expect(log).toContain('taken from its copy');
        else expect(log).toContain('cut short');
        expect(await statusOf('web'), `${kind} cut at ${cut}`).toBe('running');
        expect(await d.outside(`curl -s http://${HOST.ipv4}:8080/`)).toContain('Welcome to nginx!');
        await d.kill9();
      }
    expect(await d.host(`ls ${d.dataRoot} | grep -c unreadable`)).not.toBe('0');
    await d.start();
    await d.docker('rm', '-f', 'web');
  });

  test('O3 without a copy, too, nothing is silently empty: what runs on is named', async () => {
    await d.docker('network', 'create', 'net');
    await sleeper('stray', '--network', 'net');
    const pid = await pidOf('stray');
    await d.kill9();
    for (const file of files()) truncateSync(file, 1);
    for (const copy of [`${record()}-copy`, join(d.execRoot, 'record')]) rmSync(copy, { recursive: true });
    // Nor what lies beside it, which is there a moment after its start (record.test.ts has what is known from that).
    await d.host(`rm -f ${d.execRoot}/containers/*/kept`);
    const said = d.log().length;
    await d.start();
    const log = d.log().slice(said);
    expect(log).toContain(SET_ASIDE);
    expect(log).not.toContain('taken from its copy');
    expect(log).toContain(`end it with \`kill ${pid}\``);
    expect(await networks()).not.toContain('net');
    process.kill(pid, 'SIGKILL');
    await gone([pid]);
    await d.docker('run', '--rm', 'alpine', 'true');
  });
});

/** Viaduct on Debian's own kernel with pure cgroup v2: the shortest way through everything, with the real client. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine'] });
const { sleeper, ping, inspect } = phrasesFor(d);

const cgroupOf = async (container: string): Promise<string> => {
  const pid = await inspect('{{.State.Pid}}', container);
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
  return `/sys/fs/cgroup${path}`;
};

test('D2 P1 two containers ping each other by name; a published port answers from outside', async () => {
  await d.docker('network', 'create', 'net');
  await sleeper('c1', '--network', 'net');
  await d.docker(
    ...['run', '-d', '--name', 'c2', '--stop-timeout', '0', '--network', 'net', '-p', '8080:80'],
    ...['alpine', 'sh', '-c', 'echo hello > /index.html; exec httpd -f -p 80 -h /'],
  );
  expect((await ping('c1', 'c2')).code).toBe(0);
  expect((await ping('c2', 'c1')).code).toBe(0);
  const page = () => d.outside.try(`curl -s --max-time 5 http://${HOST.ipv4}:8080/`);
  expect(await until('the page', async () => (await page()).stdout)).toBe('hello\n');
});

test('E1 limits are those of cgroup v2, and change while the container runs', async () => {
  await sleeper('box', '--memory', '64m', '--cpus', '0.5', '--pids-limit', '50');
  const cgroup = await cgroupOf('box');
  const read = (file: string): string => readFileSync(`${cgroup}/${file}`, 'utf8').trim();
  expect([read('memory.max'), read('cpu.max'), read('pids.max')]).toEqual([
    `${64 * 1024 * 1024}`,
    '50000 100000',
    '50',
  ]);
  await d.docker('update', '--memory', '96m', '--memory-swap', '192m', '--pids-limit', '60', 'box');
  expect([read('memory.max'), read('pids.max')]).toEqual([`${96 * 1024 * 1024}`, '60']);
});

test('E1 stats, top and pause', async () => {
  await sleeper('box', '--memory', '64m');
  const stats = await d.docker('stats', '--no-stream', '--format', '{{.MemUsage}} {{.PIDs}}', 'box');
  expect(stats).toMatch(/^[\d.]+[KM]iB \/ 64MiB 1$/);
  expect(await d.docker('top', 'box')).toContain('sleep 600');
  await d.docker('pause', 'box');
  expect(readFileSync(`${await cgroupOf('box')}/cgroup.freeze`, 'utf8').trim()).toBe('1');
  await d.docker('unpause', 'box');
  expect(await d.docker('exec', 'box', 'echo', 'awake')).toBe('awake');
});

test('E1 who takes more memory than he may is killed, and inspect says why', async () => {
  const greedy = ['run', '--name', 'box', '--memory', '16m', '--memory-swap', '16m', 'alpine'];
  const { code } = await d.docker.try([...greedy, 'sh', '-c', 'tail /dev/zero']);
  expect(code).toBe(137);
  expect(await inspect('{{.State.OOMKilled}} {{.State.ExitCode}}', 'box')).toBe('true 137');
});

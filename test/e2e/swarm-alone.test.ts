/** S11: nodes without a manager. What runs goes on, a daemon that starts leaves all as it is, and who has failed takes no connections. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let manager: LabHost;
let near: LabHost;
let far: LabHost;

beforeAll(async () => {
  lab = await startLab(3, { images: ['nettools'] });
  [manager, near, far] = [lab.host(1), lab.host(2), lab.host(3)];
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  for (const host of [near, far]) await host.docker('swarm', 'join', '--token', token, manager.ipv4);
});
afterAll(() => lab?.stop());

const running = (host: LabHost): Promise<string> =>
  host.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web');

test('S11: without any manager a daemon restarts and a node fails: its services answer', async () => {
  await manager.docker('network', 'create', '-d', 'overlay', 'net');
  await manager.docker(
    ...['service', 'create', '-d', '--name', 'web', '--mode', 'global', '--network', 'net'],
    ...['--constraint', 'node.role==worker', '--no-resolve-image', '--stop-signal', 'SIGKILL'],
    ...['nettools', 'socat', 'TCP-LISTEN:80,fork,reuseaddr', 'SYSTEM:hostname'],
  );
  await until('both run', async () => (await running(near)) !== '' && (await running(far)) !== '');
  const id = await running(near);
  const get = () =>
    near.docker.try(['exec', id, 'timeout', '3', 'socat', '-u', 'TCP:web:80,connect-timeout=2', '-']);
  const answers = async (): Promise<ReadonlySet<string>> => {
    const heard = new Set<string>();
    for (let i = 0; i < 12 && !heard.has(''); i += 1) heard.add((await get()).stdout.trim());
    return heard;
  };
  await until('both answer', async () => {
    const heard = await answers();
    return heard.size === 2 && !heard.has('');
  });
  await manager.unplug();
  await near.kill9();
  await near.start();
  expect(await running(near)).toBe(id);
  expect((await answers()).has('')).toBe(false);
  await far.crash();
  await until(
    'whoever fails is left out',
    async () => {
      const heard = await answers();
      return heard.size === 1 && !heard.has('');
    },
    30_000,
  );
  await far.start();
  await manager.plugIn();
  await until(
    'both run again',
    async () => (await running(near)) !== '' && (await running(far)) !== '',
    40_000,
  );
  await manager.docker('service', 'rm', 'web');
}, 150_000);

/** S1: a manager that stood still while the store forgot what it had not read yet reads everything again, and shows what is. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEtcdClient } from '../../src/cluster/etcd/client.js';
import { type Lab, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { lines } from '../support/service-phrases.js';

/** What fills all that is between etcd and a daemon that does not read; then more than etcd keeps for its watch, 1,024 answers. */
const LARGE = { count: 24, value: 'x'.repeat(200_000) };
const SMALL = { count: 1_300, value: 'x' };
const AT_ONCE = 32;

let lab: Lab;
beforeAll(async () => {
  // It stands because it is stopped.
  lab = await startLab(3, { env: { VIADUCT_LOOP_LIMIT: '0' } });
  const first = lab.host(1);
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'manager');
  for (const host of [lab.host(2), lab.host(3)])
    await host.docker('swarm', 'join', '--token', token, first.ipv4);
}, 90_000);
afterAll(() => lab?.stop(), 60_000);

test('S1: compaction overtakes a watch', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  const names = async (host: typeof first) =>
    lines(await host.docker('config', 'ls', '--format', '{{.Name}}')).toSorted();
  const create = async (name: string) =>
    expect((await first.api('POST', '/configs/create', { Name: name, Data: 'eA==' })).status).toBe(201);
  await create('removed');
  await until('it follows', async () => (await names(second)).includes('removed'));
  const etcd = createEtcdClient({
    endpoints: [{ kind: 'unix', path: `${first.execRoot}/swarm/etcd/client:1` }],
  });
  try {
    const { entries } = await etcd.range({ prefix: '/viaduct/swarm/', limit: 1 });
    const prefix = (entries[0]?.key ?? '').split('/').slice(0, 5).join('/');
    process.kill(second.pid(), 'SIGSTOP');
    try {
      await first.docker('config', 'rm', 'removed');
      await create('made');
      for (const { count, value } of [LARGE, SMALL])
        for (let n = 0; n < count; n += AT_ONCE)
          await Promise.all(
            Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, i) =>
              etcd.put(`${prefix}/unknown/${i}`, value),
            ),
          );
      const { revision } = await etcd.status();
      await etcd.compact(revision);
      await create('after');
    } finally {
      process.kill(second.pid(), 'SIGCONT');
    }
  } finally {
    etcd.close();
  }
  const shows = until('it shows what is', async () => (await names(second)).join() === 'after,made', 30_000);
  await shows.catch((error) => expect.fail(`${error}: ${second.log().slice(-8_000)}`));
  await until('the log tells it', () => second.log().includes('everything was read again'));
  await create('later');
  await until('it follows again', async () => (await names(second)).includes('later'));
}, 240_000);

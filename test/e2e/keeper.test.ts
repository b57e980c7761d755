/**
 * While no daemon runs nothing opens, and never do two run on one record: the keeper of the tables, and the locks. Where the
 * kernel knows no table that outlives its owner (before Linux 6.9) there is no keeper, and the guide says what is left.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { keeperOf } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { withoutCall } from '../support/without-call.js';
import { HOST } from '../support/world.js';

const PIDFD_GETFD = 438;

/** What becomes the next daemon. */
let through: readonly string[] = [];
const d = daemonForThisFile({ images: ['alpine', 'nettools'], through: () => through });
const { inspect, addressOf, subnetOf, server } = phrasesFor(d);

const pidOf = async (name: string) => Number(await inspect('{{.State.Pid}}', name));

const keeper = (): number => keeperOf(d);
/** Port and inode of the socket that owns the tables: the keeper's descriptor 3. */
const owning = async (): Promise<string> => {
  const held = execFileSync('readlink', [`/proc/${keeper()}/fd/3`], { encoding: 'utf8' });
  const inode = /\d+/.exec(held)?.[0] ?? 'none';
  return d.host(`awk '$10 == ${inode} { print $3, $10 }' /proc/net/netlink`);
};
const flush = () => d.host('nft flush ruleset');
/** It says something by itself; a client that sends nothing loses nothing. */
const listen = (address: string, port = 80) =>
  `socat -u -T2 TCP:${address}:${port},connect-timeout=1 - 2>/dev/null`;

/** Flows that nobody allowed, each as a command on the host; what answers is a hit. */
const forbiddenFlows = async (): Promise<Readonly<Record<string, string>>> => {
  await d.docker('network', 'create', 'net');
  await d.docker('network', 'create', 'other');
  await d.docker('network', 'create', '--internal', 'inner');
  await d.docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'apart');
  await server('web', '--network', 'net', '-p', '8080:80');
  await server('hidden', '--network', 'net');
  await server('stranger', '--network', 'other');
  await server('secret', '--network', 'inner');
  await server('lone', '--network', 'apart');
  await server('alone', '--network', 'apart');
  await d.outside(`ip route replace ${await subnetOf('net')} via ${HOST.ipv4}`);
  const from = async (name: string) => `nsenter -t ${await pidOf(name)} -n`;
  const to = (name: string, network: string) => addressOf(name, network).then((address) => listen(address));
  return {
    'LAN → unpublished': `nsenter --net=${d.world.netns.outside} ${await to('hidden', 'net')}`,
    'other network → container': `${await from('stranger')} ${await to('hidden', 'net')}`,
    'other network → internal': `${await from('stranger')} ${await to('secret', 'inner')}`,
    'ICC off': `${await from('lone')} ${await to('alone', 'apart')}`,
  };
};
const hits = async (flows: Readonly<Record<string, string>>): Promise<readonly string[]> => {
  const tried = Object.entries(flows).map(async ([name, command]) => [
    name,
    (await d.host.try(command)).stdout,
  ]);
  return (await Promise.all(tried)).flatMap(([name = '', said]) => (said ? [name] : []));
};
const publishedAnswers = async () => (await d.outside.try(listen(HOST.ipv4, 8080))).stdout !== '';

describe('A K8: a flush while no daemon runs', () => {
  test('A K8: kill -9, nft flush ruleset: forbidden flows stay forbidden, what is published is served, the next daemon writes on', async () => {
    const flows = await forbiddenFlows();
    await until('the port answers', publishedAnswers);
    const [first, socket] = [keeper(), await owning()];
    expect(first).toBeGreaterThan(0);
    // where root may lower it at all
    const lowered = await d.host('(echo -999 >/proc/self/oom_score_adj) 2>/dev/null && echo -999 || echo 0');
    expect(Number(readFileSync(`/proc/${first}/oom_score_adj`, 'utf8'))).toBe(Number(lowered));
    for (let round = 1; round <= 2; round += 1) {
      await d.kill9();
      await flush();
      expect(await hits(flows), `round ${round}`).toEqual([]);
      expect(await publishedAnswers()).toBe(true);
      await d.start();
      expect([keeper(), await owning()]).toEqual([first, socket]); // the very socket
      await server(`new-${round}`, '--network', 'net', '-p', `${9000 + round}:80`);
      await until('a new port answers', async () => {
        return (await d.outside.try(listen(HOST.ipv4, 9000 + round))).stdout !== '';
      });
    }

    // One that ends is replaced; the socket is the same.
    process.kill(first, 'SIGKILL');
    await until('another keeper', () => ![0, first].includes(keeper()));
    expect(await owning()).toBe(socket);
    await d.kill9();
    await flush();
    expect(await hits(flows)).toEqual([]);

    // A record that names a stranger, or nothing, is not believed: the kernel knows whose the tables are.
    const now = keeper();
    for (const written of ['1', 'nonsense']) {
      await d.host(`echo ${written} >${d.execRoot}/keeper.pid`);
      await d.start();
      expect([keeper(), await owning()]).toEqual([now, socket]);
      await d.kill9();
    }

    // The control: without a keeper the same flush opens all, so the probes above would have seen it.
    process.kill(keeper(), 'SIGKILL');
    await until('it is gone', () => keeper() === 0);
    await flush();
    await until('open', async () => (await hits(flows)).length >= 3);
    await d.start();
    expect(await hits(flows)).toEqual([]);
    expect(keeper()).toBeGreaterThan(0);
  }, 120_000);

  test.each([
    ['a seccomp filter', 'recorded', withoutCall(PIDFD_GETFD)],
    ['a lack of CAP_SYS_PTRACE', 'recorded', ['setpriv', '--bounding-set', '-sys_ptrace']],
    ['a lack of CAP_SYS_PTRACE', 'without its record', ['setpriv', '--bounding-set', '-sys_ptrace']],
  ])(
    'A K8: where %s forbids to take the socket of a keeper, %s, the tables change hands openly, and a keeper holds them again',
    async (_, kept, words) => {
      const flows = await forbiddenFlows();
      await until('the port answers', publishedAnswers);
      const [first, socket] = [keeper(), await owning()];
      await d.kill9();
      if (kept === 'without its record') await d.host(`rm ${d.execRoot}/keeper.pid`);
      const said = d.log().length;
      try {
        through = words;
        await d.start();
        expect(d.log().slice(said)).toContain('cannot be taken over from');
        expect(d.log().slice(said)).not.toContain('not as the records want it');
        expect([0, first]).not.toContain(keeper());
        expect(await owning()).not.toBe(socket);
        expect(await hits(flows)).toEqual([]);
        expect(await publishedAnswers()).toBe(true);
        await server('new', '--network', 'net', '-p', '9009:80');
        await until('a new port answers', async () => {
          return (await d.outside.try(listen(HOST.ipv4, 9009))).stdout !== '';
        });
        await d.kill9();
        await flush();
        expect(await hits(flows)).toEqual([]);
        expect(await publishedAnswers()).toBe(true);
      } finally {
        through = [];
      }
      const [now, theirs] = [keeper(), await owning()];
      await d.start();
      expect([keeper(), await owning()]).toEqual([now, theirs]); // one that may takes it as ever
      process.kill(now, 'SIGKILL'); // the next has all the capabilities again
      await until('another keeper', () => ![0, now].includes(keeper()));
    },
    120_000,
  );

  test('A K8: it stays while containers run without a daemon, and goes with the last of what was kept', async () => {
    await server('web');
    const first = keeper();
    expect(await d.terminate()).toBe(0);
    expect(keeper()).toBe(first);
    await d.start();
    expect(keeper()).toBe(first);
    await d.docker('rm', '-f', 'web');
    expect(await d.terminate()).toBe(0);
    expect(keeper()).toBe(0);
    expect(await d.host('nft list tables')).toBe('');
    await d.start();
  });
});

describe('A K4: one daemon', () => {
  const another = (data: string, exec: string) =>
    d.host.try(
      `timeout 30 ${join(ROOT, 'bin/viaductd')} --data-root ${data} --exec-root ${exec} \
        --pidfile ${d.world.base}/pid2 -H unix://${d.world.base}/second.sock`,
    );
  const [data, exec] = [() => join(d.world.base, 'data2'), () => join(d.world.base, 'run2')];

  test('A K4: a second one on its data root or exec root is refused by name, in another network namespace too; containers run on', async () => {
    await server('web', '-p', '8080:80');
    const pid = await pidOf('web');
    const elsewhere = (roots: string) =>
      d.host.try(
        `timeout 30 unshare --net ${join(ROOT, 'bin/viaductd')} ${roots} --pidfile ${d.world.base}/pid2 -H unix://${d.world.base}/second.sock`,
      );
    for (const [roots, said] of [
      [
        `--data-root ${d.dataRoot} --exec-root ${exec()}`,
        `the data root ${d.dataRoot} is in use by process ${d.pid()} `,
      ],
      [
        `--data-root ${data()} --exec-root ${d.execRoot}`,
        `the exec root ${d.execRoot} is in use by process ${d.pid()} `,
      ],
    ] as const) {
      const { code, stderr } = await elsewhere(roots);
      expect(code).toBe(1);
      expect(stderr).toContain(said);
    }
    expect(await pidOf('web')).toBe(pid);
    expect(await inspect('{{.State.Status}}', 'web')).toBe('running');
    await until('the port answers', publishedAnswers);
  });

  test('A K4: two in one network namespace, with roots of their own: the second is told the remedy', async () => {
    const { code, stderr } = await another(data(), exec());
    expect(code).toBe(1);
    expect(stderr).toContain(`has a Viaduct already, process ${d.pid()} `);
    expect(stderr).toContain('ip netns exec');
  });

  test('A K4: what a child inherits is no lock: killed with a container running, the next one starts at once', async () => {
    await server('web');
    await d.kill9();
    await d.start();
    expect(await inspect('{{.State.Status}}', 'web')).toBe('running');
  });
});

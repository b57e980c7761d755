/**
 * S1, S11: a manager's disk, or its store, is full. What was written stays, what cannot be written is refused at once and in words, published
 * ports do not notice, and when there is room again all goes on by itself.
 */
import { mkdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify, SIGKILL, signal } from '../../src/kernel/processes.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { lines, untilRunning } from '../support/service-phrases.js';
import { watch } from '../support/watched.js';

/** Milliseconds within which a refusal counts as one at once: the store alone would take seven seconds for it. */
const AT_ONCE = 3_000;
const FULL = 'the disk of this manager is full';

const configs = async ({ docker }: LabHost): Promise<readonly string[]> =>
  lines(await docker('config', 'ls', '--format', '{{.Name}}')).toSorted();

/** The status and what it says. */
const write = async (host: LabHost, name: string, bytes = 1_000): Promise<readonly [number, string]> => {
  const begun = performance.now();
  const body = { Name: name, Data: Buffer.alloc(bytes, name).toString('base64') };
  const { status, text } = await host.api('POST', '/configs/create', body);
  expect(performance.now() - begun).toBeLessThan(AT_ONCE);
  return [status, text];
};

const etcdOf = ({ execRoot }: LabHost): number =>
  JSON.parse(readFileSync(join(execRoot, 'swarm/etcd/etcd.json'), 'utf8')).pid;

describe('the disk', () => {
  let lab: Lab;
  let first: LabHost;
  const disks: string[] = [];
  let disk = '';

  beforeAll(async () => {
    lab = await startLab(2, {
      images: ['nginx'],
      before: async (world) => {
        const own = `${world.base}-disk`;
        mkdirSync(own);
        disks.push(own);
        await world.host(`mount -t tmpfs -o size=400m tmpfs ${own}`);
        symlinkSync(own, join(world.base, 'data'));
      },
    });
    first = lab.host(1);
    disk = `${first.world.base}-disk`;
    await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
    const token = await first.docker('swarm', 'join-token', '-q', 'worker');
    await lab.host(2).docker('swarm', 'join', '--token', token, first.ipv4);
    await first.docker(
      ...['service', 'create', '-d', '--name', 'web', '--replicas', '2', '-p', '8080:80'],
      ...['--no-resolve-image', 'nginx'],
    );
    await untilRunning(first, 'web', 2);
    await lab.wire('ip route add 10.0.0.0/8 via 192.0.2.1');
  }, 120_000);
  afterAll(async () => {
    await lab?.stop();
    for (const own of disks) rmdirSync(own); // what was mounted went with its machine
  }, 60_000);

  const fill = (): Promise<unknown> => first.host.try(`dd if=/dev/zero of=${disk}/filler bs=64k`);
  const makeRoom = (): Promise<unknown> => first.host(`rm ${disk}/filler`);
  // The container's own port, by its address and by a port that nobody published.
  const watched = async () => {
    const ids = lines(await first.docker('ps', '-q', '--filter', 'name=web'));
    const address = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
    const own = (await first.docker('inspect', '--format', address, ...ids)).split(/\s+/).filter(Boolean);
    return watch(lab, {
      answer: lab.hosts.map(({ ipv4 }) => `http://${ipv4}:8080/`),
      silent: [...own.map((each) => `http://${each}/`), ...lab.hosts.map(({ ipv4 }) => `http://${ipv4}/`)],
    });
  };

  test('S1: full, nothing is written and all is read; with room again all is as it was, and etcd never ended', async () => {
    const calls = await watched();
    expect(await write(first, 'before')).toEqual([201, expect.anything()]);
    const etcd = etcdOf(first);
    await fill();
    for (const name of ['one', 'two', 'three']) {
      expect(await write(first, name)).toEqual([503, expect.stringContaining(FULL)]);
      await calls.round();
    }
    const network = await first.api('POST', '/networks/create', { Name: 'net', Driver: 'overlay' });
    expect([network.status, network.text]).toEqual([503, expect.stringContaining(FULL)]);
    expect(await first.docker('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe('web 2/2');
    expect(await first.docker('info', '--format', '{{.Swarm.Error}}')).toContain(FULL);
    expect(await configs(first)).toEqual(['before']);
    await makeRoom();
    expect(await write(first, 'after')).toEqual([201, expect.anything()]);
    expect(await configs(first)).toEqual(['after', 'before']);
    expect(await first.docker('info', '--format', '{{.Swarm.Error}}')).toBe('');
    expect(etcdOf(first)).toBe(etcd);
    expect(await calls.end()).toEqual({ failed: [], leaked: [] });
  }, 90_000);

  test('S1: etcd dies while it is full: it is not started, which is said; with room again it is, and has everything', async () => {
    const calls = await watched();
    const known = await configs(first);
    const etcd = etcdOf(first);
    await fill();
    signal(identify(etcd), SIGKILL);
    await until('what is refused says why', async () => {
      const [status, text] = await write(first, 'refused');
      expect(status).toBe(503);
      return text.includes('Manager is being prepared') && text.includes(FULL);
    });
    await calls.round();
    await makeRoom();
    await until(
      'it is a manager again',
      async () => (await first.docker.try(['node', 'ls'])).code === 0,
      30_000,
    );
    expect(await configs(first)).toEqual(known);
    await until('it can be changed', async () => (await write(first, 'again'))[0] === 201, 30_000);
    expect(etcdOf(first)).not.toBe(etcd);
    await untilRunning(first, 'web', 2);
    expect(await calls.end()).toEqual({ failed: [], leaked: [] });
  }, 120_000);
});

describe('the store', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(1, { env: { ETCD_QUOTA_BACKEND_BYTES: String(6 * 1_048_576) } });
    await lab.host(1).docker('swarm', 'init');
  }, 60_000);
  afterAll(() => lab?.stop(), 60_000);

  test('S1: with its quota used up it says so; what is removed makes room, and the alarm goes by itself', async () => {
    const host = lab.host(1);
    const taken: string[] = [];
    let refused: readonly [number, string] | undefined;
    for (let n = 0; n < 30 && !refused; n += 1) {
      const said = await write(host, `big${n}`, 490_000);
      if (said[0] === 201) taken.push(`big${n}`);
      else refused = said;
    }
    expect(refused).toEqual([503, expect.stringContaining('store is full')]);
    // The write by which the quota is passed is carried out by etcd and answered as refused (ADR 36).
    const there = await configs(host);
    expect([taken, [...taken, `big${taken.length}`]]).toContainEqual(there);
    const [kept = '', ...others] = there;
    await host.docker('config', 'rm', ...others);
    await until('it takes writes again', async () => (await write(host, 'small'))[0] === 201, 60_000);
    // This manager may have come to know of the refused one only meanwhile.
    await host.docker.try(['config', 'rm', `big${taken.length}`]);
    expect(await configs(host)).toEqual([kept, 'small'].toSorted());
    expect(await host.docker('config', 'inspect', '--format', '{{len .Spec.Data}}', kept)).toBe('490000');
  }, 120_000);
});

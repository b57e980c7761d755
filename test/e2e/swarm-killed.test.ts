/**
 * S1, S11: etcd and Serf are killed, and the daemon between the steps of starting them. Published ports answer throughout, nothing else
 * does, and all is found again. N7: subnets keep off what nodes route.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify, SIGKILL, signal } from '../../src/kernel/processes.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { lines, untilRunning } from '../support/service-phrases.js';
import { watch } from '../support/watched.js';

const RECORDS = { etcd: 'swarm/etcd/etcd.json', serf: 'swarm/serf/serf.json' } as const;
type Program = keyof typeof RECORDS;

let lab: Lab;
let manager: LabHost;
let worker: LabHost;
beforeAll(async () => {
  lab = await startLab(2, { images: ['nginx'] });
  manager = lab.host(1);
  worker = lab.host(2);
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, manager.ipv4);
  // Nobody waits for a node to be ready that has joined.
  expect(
    lines(await manager.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).toSorted(),
  ).toEqual(['host1 Ready', 'host2 Ready']);
  await manager.docker(
    ...['service', 'create', '-d', '--name', 'web', '--replicas', '2', '--no-resolve-image'],
    ...['-p', '8080:80', 'nginx'],
  );
  await untilRunning(manager, 'web', 2);
  await lab.wire('ip route add 10.0.0.0/8 via 192.0.2.1');
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

const pidOf = ({ execRoot }: LabHost, program: Program): number =>
  JSON.parse(readFileSync(join(execRoot, RECORDS[program]), 'utf8')).pid;

/** Processes of the program on the host. */
const running = ({ world }: LabHost, program: Program): readonly number[] =>
  world.processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program;
    } catch {
      return false; // it has ended
    }
  });

/** Answered at both nodes while the work is done, and neither a task's own address nor a port that nobody published is. */
const during = async (work: () => Promise<unknown>): Promise<void> => {
  const address = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
  const addresses = async ({ docker }: LabHost): Promise<readonly string[]> => {
    const ids = lines(await docker('ps', '-q', '--filter', 'name=web'));
    return ids.length === 0 ? [] : (await docker('inspect', '--format', address, ...ids)).split(/\s+/);
  };
  const own = (await Promise.all(lab.hosts.map(addresses))).flat().filter((each) => each !== '');
  const calls = watch(lab, {
    answer: lab.hosts.map(({ ipv4 }) => `http://${ipv4}:8080/`),
    silent: [...own.map((each) => `http://${each}/`), ...lab.hosts.map(({ ipv4 }) => `http://${ipv4}/`)],
  });
  await calls.round();
  await work();
  expect(await calls.end()).toEqual({ failed: [], leaked: [] });
};

const isWhole = async (): Promise<void> => {
  await until(
    'it is a manager with both nodes',
    async () => {
      const said = await manager.docker.try(['node', 'ls', '--format', '{{.Status}}']);
      return said.code === 0 && lines(said.stdout).join() === 'Ready,Ready';
    },
    40_000,
  );
  await until('it can be changed', async () => {
    const name = `c${Math.random()}`.replace('.', '');
    return (await manager.api('POST', '/configs/create', { Name: name, Data: 'eA==' })).status === 201;
  });
};

describe.each(['etcd', 'serf'] as const)('%s', (program) => {
  test.each(['program-noted', 'program-started'])(
    'S1: killed, and the daemon at %s: the next one has one of it',
    async (place) => {
      const former = pidOf(manager, program);
      await during(async () => {
        manager.dieAt(place);
        signal(identify(former), SIGKILL);
        expect(await manager.ended()).toBe(137);
        manager.dieAt('');
        await manager.start();
        await until('it runs again', () => running(manager, program).length === 1, 20_000);
        await isWhole();
      });
      expect(running(manager, program)).toEqual([pidOf(manager, program)]);
      expect(pidOf(manager, program)).not.toBe(former);
    },
    120_000,
  );
});

test('N7: a subnet that is chosen is nothing that any node routes', async () => {
  await worker.host('ip route add 10.0.0.0/21 via 192.0.2.254');
  try {
    const subnet = await until(
      'the manager knows of the route',
      async () => {
        await manager.docker('network', 'create', '-d', 'overlay', 'chosen');
        const format = '{{range .IPAM.Config}}{{.Subnet}}{{end}}';
        const found = await manager.docker('network', 'inspect', '--format', format, 'chosen');
        await manager.docker('network', 'rm', 'chosen');
        return found === '10.0.1.0/24' ? undefined : found;
      },
      30_000,
    );
    expect(subnet).toBe('10.0.8.0/24');
    const named = { Name: 'named', Driver: 'overlay', IPAM: { Config: [{ Subnet: '10.0.4.0/24' }] } };
    const { status, json } = await manager.api('POST', '/networks/create', named);
    expect([status, json]).toMatchObject([
      201,
      {
        Warning: expect.stringMatching(
          /^10\.0\.4\.0\/24 of network named overlaps with a route of node host2: /,
        ),
      },
    ]);
    await manager.docker('network', 'rm', 'named');
  } finally {
    await worker.host('ip route del 10.0.0.0/21');
  }
}, 60_000);

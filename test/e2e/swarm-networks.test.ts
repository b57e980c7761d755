/** D8, S2: networks of a swarm, on two hosts, with the real client. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine'] });
  const [a, b] = [lab.host(1), lab.host(2)];
  await a.docker('swarm', 'init');
  const token = await a.docker('swarm', 'join-token', '-q', 'worker');
  await b.docker('swarm', 'join', '--token', token, a.ipv4);
}, 120_000);
afterAll(() => lab.stop(), 60_000);

describe('S2 D8: a network of a swarm', () => {
  test('ingress is there from the beginning, with Docker’s subnet', async () => {
    const { docker } = lab.host(1);
    const format = '{{.Scope}} {{.Driver}} {{.Ingress}} {{(index .IPAM.Config 0).Subnet}}';
    expect(await docker('network', 'inspect', '-f', format, 'ingress')).toBe(
      'swarm overlay true 10.0.0.0/24',
    );
    expect(await docker('network', 'ls', '--format', '{{.Name}} {{.Scope}}')).toContain('ingress swarm');
  });
  test('is made, shown and removed by a manager, and by a worker not', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    const id = await a.docker('network', 'create', '-d', 'overlay', '--label', 'a=b', 'net');
    expect(await a.docker('network', 'ls', '-q', '--no-trunc', '--filter', 'name=net')).toBe(id);
    const format = '{{.Id}} {{.Scope}} {{.Attachable}} {{(index .IPAM.Config 0).Subnet}} {{.Labels.a}}';
    expect(await a.docker('network', 'inspect', '-f', format, 'net')).toBe(`${id} swarm false 10.0.1.0/24 b`);
    const twice = await a.docker.try(['network', 'create', '-d', 'overlay', 'net']);
    expect(twice.stderr).toContain('network with name net already exists');
    const onWorker = await b.docker.try(['network', 'create', '-d', 'overlay', 'other']);
    expect(onWorker.stderr).toContain(
      'Cannot create a multi-host network from a worker node. Please create the network from a manager node.',
    );
    const encrypted = await a.docker.try([
      'network',
      'create',
      '-d',
      'overlay',
      '--opt',
      'encrypted',
      'secret',
    ]);
    expect(encrypted.stderr).toContain('encrypted overlay networks are not supported yet');
    const overlapping = await a.docker.try([
      'network',
      'create',
      '-d',
      'overlay',
      '--subnet',
      '10.0.1.0/25',
      'x',
    ]);
    expect(overlapping.stderr).toContain('Pool overlaps with other one on this address space');
    expect(await a.docker('network', 'rm', 'net')).toBe('net');
    expect((await a.docker.try(['network', 'inspect', 'net'])).stderr).toContain('network net not found');
    await a.docker('network', 'create', '-d', 'overlay', 'unused');
    expect(await a.docker('network', 'prune', '-f')).toContain('unused');
    expect(await a.docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'scope=swarm')).toBe(
      'ingress',
    );
  });
});

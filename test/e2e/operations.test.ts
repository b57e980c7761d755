/** Logs and troubleshooting, and settings that change while the daemon runs. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dirty, objects, plan, topology } from '../../src/door/schema.js';
import { CLIENTS, ROOT } from '../support/daemon.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { attempt, run, until } from '../support/run.js';

const d = daemonForThisFile();
const { sleeper } = phrasesFor(d);

describe('O1 logs', () => {
  test('O1 standard output and error apart, whole lines in order, also of a container that has ended', async () => {
    await d.docker(
      'run',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done',
    );
    const { stdout, stderr } = await d.docker.try(['logs', 'c1']);
    expect(stdout).toBe('out 1\nout 2\nout 3\n');
    expect(stderr).toBe('err 1\nerr 2\nerr 3\n');
  });
  test('O1 --tail, --timestamps, --since, --until', async () => {
    await d.docker('run', '--name', 'c1', 'alpine', 'sh', '-c', 'echo first; sleep 2; echo last');
    expect(await d.docker('logs', '--tail', '1', 'c1')).toBe('last');
    const stamped = (await d.docker('logs', '-t', 'c1')).split('\n');
    expect(stamped[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) first$/);
    const middle = new Date(Date.parse(stamped[0]?.split(' ')[0] ?? '') + 1000).toISOString();
    expect(await d.docker('logs', '--since', middle, 'c1')).toBe('last');
    expect(await d.docker('logs', '--until', middle, 'c1')).toBe('first');
  });
  test('O1 -f follows until the container ends', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done',
    );
    expect(await d.docker('logs', '-f', 'c1')).toBe('line 1\nline 2\nline 3\nline 4\nline 5');
  });
  test('O1 a long line and binary output come whole', async () => {
    const { stdout } = await d.docker.try([
      'run',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'head -c 100000 /dev/zero | tr "\\0" x; echo',
    ]);
    expect(stdout.length).toBe(100_001);
    expect((await d.docker.try(['logs', 'c1'])).stdout.length).toBe(100_001);
  });
});

describe('O1 looking at the daemon', () => {
  test('O1 info and version', async () => {
    await sleeper('c1');
    const info = JSON.parse(await d.docker('info', '--format', '{{json .}}'));
    expect(info).toMatchObject({
      Containers: 1,
      ContainersRunning: 1,
      DockerRootDir: d.dataRoot,
      OSType: 'linux',
    });
    expect(info.Plugins.Network).toEqual(expect.arrayContaining(['bridge', 'host', 'null']));
    expect(await d.docker('version', '--format', '{{.Server.APIVersion}}')).toMatch(/^1\.\d+$/);
  });
  test('O1 system df', async () => {
    await sleeper('c1');
    const shown = await d.docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}');
    expect(shown).toContain('Images 1 1');
    expect(shown).toContain('Containers 1 1');
  });
  test('O1 events for networks, past and present', async () => {
    const since = String(Math.floor(Date.now() / 1000));
    await d.docker('network', 'create', 'mynetwork');
    await sleeper('c1');
    await d.docker('network', 'connect', 'mynetwork', 'c1');
    await d.docker('network', 'disconnect', 'mynetwork', 'c1');
    await d.docker('network', 'rm', 'mynetwork');
    const until = String(Math.floor(Date.now() / 1000) + 1);
    const format = '{{.Action}} {{.Actor.Attributes.name}}';
    const told = await d.docker(
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'type=network',
      '--filter',
      'network=mynetwork',
      '--format',
      format,
    );
    expect(told.split('\n')).toEqual([
      'create mynetwork',
      'connect mynetwork',
      'disconnect mynetwork',
      'destroy mynetwork',
    ]);
  });
  test('O1 every client of this machine is understood', async () => {
    for (const client of CLIENTS) {
      const env = { DOCKER_HOST: `unix://${d.socket}`, DOCKER_CONFIG: join(d.world.base, 'client') };
      expect(await run(client, ['run', '--rm', 'alpine', 'echo', client], { env })).toBe(client);
      expect((await attempt(client, ['network', 'rm', 'bridge'], { env })).code).toBe(1);
    }
    expect(CLIENTS.length).toBeGreaterThan(0);
  });
});

describe('O2 configuration', () => {
  const configFile = () => join(d.world.base, 'daemon.json');
  test('O2 SIGHUP reloads daemon.json and tells it', async () => {
    const since = String(Math.floor(Date.now() / 1000));
    writeFileSync(configFile(), JSON.stringify({ labels: ['reloaded=yes'] }));
    process.kill(d.pid(), 'SIGHUP');
    await until(
      'the label is there',
      async () => (await d.docker('info', '--format', '{{json .Labels}}')) === '["reloaded=yes"]',
    );
    const end = String(Math.floor(Date.now() / 1000) + 1);
    expect(
      await d.docker(
        'events',
        '--since',
        since,
        '--until',
        end,
        '--filter',
        'type=daemon',
        '--format',
        '{{.Action}}',
      ),
    ).toBe('reload');
  });
  test('O2 a broken daemon.json is refused at reload and the former settings stay', async () => {
    writeFileSync(configFile(), JSON.stringify({ labels: ['first=1'] }));
    process.kill(d.pid(), 'SIGHUP');
    await until(
      'the label is there',
      async () => (await d.docker('info', '--format', '{{json .Labels}}')) === '["first=1"]',
    );
    writeFileSync(configFile(), '{"labels": ["second=2"], "bogus": true}');
    process.kill(d.pid(), 'SIGHUP');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await d.docker('info', '--format', '{{json .Labels}}')).toBe('["first=1"]');
    writeFileSync(configFile(), '{}');
  });
  test.each([
    [['--nope'], 'unknown flag: --nope'],
    [['--config-file', '/not/there.json'], '/not/there.json'],
    [['--bip', 'nonsense'], 'invalid CIDR address: nonsense'],
  ])('O2 a start with %j ends with one clear message and a non-zero exit code', async (flags, message) => {
    const [program = '', ...enter] = d.world.enter;
    const failed = await attempt(program, [
      ...enter,
      join(import.meta.dirname, '../../bin/viaductd'),
      ...flags,
    ]);
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toContain(message);
    expect(failed.stderr).not.toContain('    at ');
  });
});

test('O1 viaduct status, ports, addresses', async () => {
  const viaduct = (...args: string[]) =>
    run(join(ROOT, 'bin/viaduct'), args, { env: { DOCKER_HOST: `unix://${d.socket}` } });
  await d.docker('network', 'create', '--subnet', '10.95.0.0/24', 'mynetwork');
  await sleeper('c1', '--network', 'mynetwork', '-p', '8080-8082:80-82');
  expect(await viaduct('status')).toContain(d.dataRoot);
  expect(await viaduct('ports')).toMatch(/^0\.0\.0\.0:8080-8082 +tcp +c1 +80-82$/m);
  expect(await viaduct('addresses')).toMatch(/^mynetwork +c1 +10\.95\.0\.2 /m);
  expect(await viaduct('objects', 'c1')).toMatch(
    /^container c1 on network mynetwork:$(.|\n)*10\.95\.0\.2\/24/m,
  );
  const seen = objects.parse(JSON.parse(await viaduct('objects', 'mynetwork', '--format', 'json')));
  expect(seen.filter(({ state }) => state !== 'there')).toEqual([]);
  expect(new Set(seen.map(({ owner }) => owner.kind))).toEqual(new Set(['network', 'endpoint']));
  const { networks, endpoints } = topology.parse((await d.api('GET', '/viaduct/v1/topology')).json);
  const web = networks.find(({ name }) => name === 'mynetwork');
  expect(web?.subnets).toEqual(['10.95.0.0/24']);
  expect(endpoints.find(({ network }) => network === web?.id)).toMatchObject({
    addresses: ['10.95.0.2/24'],
    gateway: { ipv4: true },
    ports: [{ address: '0.0.0.0', port: 8080, containerPort: 80, count: 3 }, { address: '::' }],
  });
  expect(plan.parse((await d.api('GET', '/viaduct/v1/plan')).json)).toEqual([]);
  expect(dirty.parse((await d.api('GET', '/viaduct/v1/dirty')).json)).toEqual([]);
  await expect(viaduct('objects', 'nobody')).rejects.toThrow('no container and no network nobody');
});

describe('the code that V8 made when the daemon was built', () => {
  const built = join(ROOT, `dist-test-${process.pid}`); // beside dist/, where packages are found
  const version = (): Promise<string> => run('node', [join(built, 'main.js'), '--version'], {});
  const parts = (): readonly string[] =>
    readdirSync(join(ROOT, 'dist')).filter((name) => name.endsWith('.js') && name !== 'main.js');
  test('is taken of each part, and what it was made of is ASCII', async () => {
    expect(parts().length).toBeGreaterThan(1);
    for (const name of parts()) {
      const file = join(ROOT, 'dist', name);
      expect(readFileSync(file, 'utf8')).toMatch(/^[\0-\x7f]*$/);
      const look = `const { readFileSync } = require('node:fs'), filename = process.argv[1];
        const cachedData = readFileSync(filename + '.cache');
        const source = readFileSync(filename, 'latin1');
        console.log(new (require('node:vm').Script)(source, { filename, cachedData }).cachedDataRejected)`;
      expect(await run('node', ['-e', look, file])).toBe('false');
    }
  });
  test('a daemon that is in no swarm does not load what makes one', () => {
    const text = (name: string): string => readFileSync(join(ROOT, 'dist', name), 'utf8');
    const loadedBy = (name: string): readonly string[] => [
      name,
      ...[...text(name).matchAll(/^var .*require\("\.\/(.*)"\)/gm)].flatMap(([, part = '']) =>
        loadedBy(part),
      ),
    ];
    const scheduler = (name: string): boolean => text(name).includes('no suitable node');
    expect(parts().filter(scheduler)).toHaveLength(1);
    expect(loadedBy('viaductd.js').length).toBeGreaterThan(1);
    expect(loadedBy('viaductd.js').filter(scheduler)).toEqual([]);
  });
  test.each<[string, () => void]>([
    ['is damaged', () => writeFileSync(join(built, 'viaductd.js.cache'), 'of another')],
    ['is missing', () => rmSync(join(built, 'viaductd.js.cache'))],
  ])('%s: it is made as ever', async (_, spoil) => {
    cpSync(join(ROOT, 'dist'), built, { recursive: true });
    try {
      const before = await version();
      spoil();
      expect(await version()).toBe(before);
    } finally {
      rmSync(built, { recursive: true });
    }
  });
});

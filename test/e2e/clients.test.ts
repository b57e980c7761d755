/**
 * Clients as people have them, unmodified: Docker's own command line, new and old, and what consoles such as lazydocker,
 * ctop and Portainer ask. Compose is in clients-compose.test.ts, dockerode and testcontainers in clients-node.test.ts.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { attempt, type Result, run } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });
const { sleeper, addressOf } = phrasesFor(d);

const COMMAND_LINES = [
  { name: 'docker 28', path: '/usr/local/bin/docker', says: /^28\./, api: '1.50' },
  { name: 'docker 20.10', path: '/usr/bin/docker', says: /^20\.10\./, api: '1.41' },
] as const;

describe.each(COMMAND_LINES.map((line) => [line.name, line] as const))('O11 %s', (_, { path, says, api }) => {
  const options = () => ({
    env: {
      DOCKER_HOST: `unix://${d.socket}`,
      DOCKER_CONFIG: join(d.world.base, 'client'),
      DOCKER_BUILDKIT: '0',
    },
  });
  const docker = (...args: string[]): Promise<string> => run(path, args, options());
  const tried = (...args: string[]): Promise<Result> => attempt(path, args, options());
  let absent = '';
  beforeAll(async () => {
    const version = existsSync(path)
      ? await run(path, ['version', '--format', '{{.Client.Version}}'], options())
      : '';
    if (!says.test(version)) absent = `${path} is ${version || 'not there'}: this test is for ${says.source}`;
  });
  const check = (title: string, body: () => Promise<void>): void =>
    test(title, async ({ skip }) => {
      skip(absent !== '', absent);
      await body();
    });

  check('agrees with the daemon on an API version', async () => {
    expect(await docker('version', '--format', '{{.Client.APIVersion}} {{.Server.Os}}')).toBe(`${api} linux`);
    expect(await docker('info', '--format', '{{.Containers}} {{.DockerRootDir}}')).toBe(`0 ${d.dataRoot}`);
  });

  check('runs a container, in front and behind, and removes it', async () => {
    expect(await docker('run', '--rm', 'alpine', 'echo', 'in front')).toBe('in front');
    expect((await tried('run', '--rm', 'alpine', 'sh', '-c', 'exit 7')).code).toBe(7);
    expect(await docker('run', '-d', '--name', 'web', '-p', '8080:80', '-P', 'nginx')).toMatch(
      /^[0-9a-f]{64}$/,
    );
    expect(await docker('ps', '--format', '{{.Names}} {{.Ports}}')).toMatch(
      /^web .*0\.0\.0\.0:8080->80\/tcp/,
    );
    expect(await docker('port', 'web', '80')).toContain('0.0.0.0:8080');
    expect(await d.host('curl -s http://localhost:8080/')).toContain('Welcome to nginx!');
    expect(await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web')).toBe(
      await addressOf('web'),
    );
    expect(await docker('stop', '-t', '1', 'web')).toBe('web');
    expect(await docker('rm', 'web')).toBe('web');
  });

  check('looks into a running container', async () => {
    const logged = ['--log-opt', 'env=WHO', '-e', 'WHO=me'];
    await docker('run', '-d', '--name', 'talker', ...logged, 'alpine', 'sh', '-c', 'echo said; sleep 600');
    expect(await docker('exec', 'talker', 'sh', '-c', 'echo $((6 * 7))')).toBe('42');
    expect((await tried('exec', 'talker', 'sh', '-c', 'exit 9')).code).toBe(9);
    expect(await docker('logs', 'talker')).toBe('said');
    expect(await docker('logs', '--details', 'talker')).toBe('WHO=me said');
    expect(await docker('top', 'talker')).toContain('sleep 600');
    expect(await docker('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'talker')).toBe(
      'talker 1',
    );
    await docker('cp', 'talker:/etc/hostname', join(d.world.base, 'copied'));
    expect(await docker('ps', '-q', '--filter', 'name=talker')).toHaveLength(12);
    await docker('rm', '-f', 'talker');
  });

  check('types into a terminal', async () => {
    const script = `(sleep 1; printf 'echo $((20 + 3))\\nexit 5\\n'; sleep 1) | script -qefc '${path} run --rm -it alpine sh' /dev/null`;
    const { code, stdout } = await attempt('sh', ['-c', script], options());
    expect(stdout).toMatch(/\n23\r?\n/);
    expect(code).toBe(5);
  });

  check('makes networks, connects and disconnects, finds by name, prunes', async () => {
    expect(await docker('network', 'create', 'mynetwork')).toMatch(/^[0-9a-f]{64}$/);
    await docker('network', 'create', '--subnet', '10.99.0.0/24', '--label', 'a=b', 'other');
    expect((await docker('network', 'ls', '--format', '{{.Name}}')).split('\n').sort()).toEqual([
      'bridge',
      'host',
      'mynetwork',
      'none',
      'other',
    ]);
    for (const name of ['con1', 'con2']) {
      await docker(
        'run',
        '-d',
        '--name',
        name,
        '--network',
        'mynetwork',
        '--stop-timeout',
        '0',
        'alpine',
        'sleep',
        '600',
      );
    }
    expect(await docker('exec', 'con2', 'ping', '-c', '1', 'con1')).toContain('1 packets received');
    await docker('network', 'connect', '--ip', '10.99.0.7', '--alias', 'seven', 'other', 'con1');
    expect(await docker('exec', 'con1', 'ip', '-4', '-o', 'addr', 'show', 'eth1')).toContain('10.99.0.7/24');
    expect(
      await docker(
        'network',
        'inspect',
        '-f',
        '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}',
        'other',
      ),
    ).toBe('con1 10.99.0.7/24');
    await docker('network', 'disconnect', 'other', 'con1');
    expect((await tried('exec', 'con1', 'ip', 'link', 'show', 'eth1')).code).not.toBe(0);
    expect((await tried('network', 'rm', 'mynetwork')).stderr).toContain('has active endpoints');
    expect(await docker('network', 'prune', '-f')).toContain('other');
    await docker('rm', '-f', 'con1', 'con2');
    expect(await docker('network', 'rm', 'mynetwork')).toBe('mynetwork');
  });

  check('builds an image and shows its ports', async () => {
    const context = join(d.world.base, 'context');
    mkdirSync(context, { recursive: true });
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM alpine\nRUN echo made > /made\nEXPOSE 8000\nCMD ["cat", "/made"]\n',
    );
    await docker('build', '-q', '-t', 'server', context);
    expect(await docker('run', '--rm', 'server')).toBe('made');
    expect(await docker('inspect', '-f', '{{json .Config.ExposedPorts}}', 'server')).toBe('{"8000/tcp":{}}');
    expect(await docker('rmi', 'server')).toContain('Untagged: server:latest');
  });

  check('hears what happened', async () => {
    const name = `short-${api}`;
    await docker('run', '--rm', '--name', name, 'alpine', 'true');
    const until = String(Math.floor(Date.now() / 1000) + 1);
    const heard = ['events', '--since', '10m', '--until', until, '--filter', `container=${name}`];
    const said = await docker(...heard, '--format', '{{.Action}}');
    expect(said.split('\n').filter((action) => action !== 'attach')).toEqual([
      'create',
      'start',
      'die',
      'destroy',
    ]);
  });
});

/** The first `count` lines of a stream of JSON objects. */
const lines = (path: string, count: number): Promise<readonly unknown[]> =>
  new Promise((resolve, reject) => {
    let text = '';
    const call = request({ socketPath: d.socket, path, timeout: 10_000 }, (answer) => {
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const whole = text.split('\n').slice(0, -1);
        if (whole.length < count) return;
        call.destroy();
        resolve(whole.slice(0, count).map((line): unknown => JSON.parse(line)));
      });
    });
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error(`${path}: silent for 10 s`)));
    call.end();
  });

describe.each(['/v1.25', ''])('O11 consoles such as lazydocker, ctop and Portainer (%s/…)', (version) => {
  const get = async (path: string): Promise<unknown> => {
    const { status, json, text } = await d.api('GET', `${version}${path}`);
    expect(`${status} ${status === 200 ? '' : text}`).toBe('200 ');
    return json;
  };

  test('the machine at a glance', async () => {
    await sleeper('one');
    expect(await get('/info')).toMatchObject({
      Containers: 1,
      ContainersRunning: 1,
      OSType: 'linux',
      NCPU: expect.any(Number),
    });
    expect(await get('/version')).toMatchObject({ MinAPIVersion: '1.24', Os: 'linux' });
    expect(await get('/networks')).toHaveLength(3);
    expect(await get('/volumes')).toHaveProperty('Volumes');
    expect(await get('/images/json')).toHaveLength(3);
    expect(await get('/system/df')).toHaveProperty('LayersSize');
  });

  test('every container, its ports, its state, its processes, its log', async () => {
    await d.docker('run', '-d', '--name', 'web', '-p', '8080:80', 'nginx');
    expect(await get('/containers/json?all=1&size=1')).toMatchObject([
      {
        Names: ['/web'],
        State: 'running',
        Ports: expect.arrayContaining([{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }]),
        NetworkSettings: { Networks: { bridge: { IPAddress: await addressOf('web') } } },
      },
    ]);
    expect(await get('/containers/web/json')).toMatchObject({
      Name: '/web',
      State: { Running: true },
      NetworkSettings: {
        Ports: { '80/tcp': expect.arrayContaining([{ HostIp: '0.0.0.0', HostPort: '8080' }]) },
      },
    });
    expect(await get('/containers/web/top')).toMatchObject({
      Titles: expect.arrayContaining(['PID', 'CMD']),
    });
    const log = await d.api('GET', `${version}/containers/web/logs?stdout=1&stderr=1&tail=10`);
    expect(log.text).toContain('start worker process');
  });

  test('figures every second', async () => {
    await sleeper('busy');
    const [first, second] = await lines(`${version}/containers/busy/stats?stream=1`, 2);
    for (const each of [first, second]) {
      expect(each).toMatchObject({
        name: '/busy',
        cpu_stats: { cpu_usage: { total_usage: expect.any(Number) }, online_cpus: expect.any(Number) },
        memory_stats: { usage: expect.any(Number), limit: expect.any(Number) },
        networks: { eth0: { rx_bytes: expect.any(Number), tx_bytes: expect.any(Number) } },
      });
    }
    expect(second).toMatchObject({ preread: (first as { read: string }).read }); // its shape was just matched
  });
});

/** Node's clients: dockerode 5, and testcontainers 11 in a process of its own on the daemon's host. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { daemonForThisFile } from '../support/phrases.js';
import { run, until } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });

/** Both halves of a stream that carries stdout and stderr in frames. */
const parted = async (docker: Docker, stream: NodeJS.ReadableStream) => {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => {
    out.end();
    err.end();
  });
  const [stdout, stderr] = await Promise.all([text(out), text(err)]);
  return { stdout, stderr };
};

const tarOf = (name: string, content: string): Readable => {
  const tar = pack();
  tar.entry({ name }, content);
  tar.finalize();
  return Readable.from(tar);
};

describe('O11 dockerode 5', () => {
  let docker: Docker;
  beforeEach(() => {
    docker = new Docker({ socketPath: d.socket });
  });
  const talker = (settings: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> =>
    docker.createContainer({
      name: 'talker',
      Image: 'alpine',
      Cmd: ['sh', '-c', 'while read x; do echo "got $x"; echo "heard $x" >&2; done; sleep 600'],
      OpenStdin: true,
      StopTimeout: 0,
      ...settings,
    });

  test('attach before start: what is written arrives, what is said comes back in two streams', async () => {
    const container = await talker({ StdinOnce: true });
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    });
    await container.start();
    const out = new PassThrough();
    const err = new PassThrough();
    docker.modem.demuxStream(stream, out, err);
    const said = new Promise(
      (resolve) => void out.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    const heard = new Promise(
      (resolve) => void err.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    stream.write('hello\n');
    expect([await said, await heard]).toEqual(['got hello\n', 'heard hello\n']);
    stream.end();
    const log = await container.logs({ stdout: true, stderr: false });
    expect(log.subarray(8).toString()).toBe('got hello\n');
  });

  test('exec: input, both outputs, exit code, with and without upgrade', async () => {
    const container = await talker();
    await container.start();
    const cat = await container.exec({
      Cmd: ['sh', '-c', 'cat; echo bad >&2; exit 4'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await cat.start({ hijack: true, stdin: true });
    stream.end('input');
    expect(await parted(docker, stream)).toEqual({ stdout: 'input', stderr: 'bad\n' });
    expect(await cat.inspect()).toMatchObject({ ExitCode: 4, Running: false });
    const three = await Promise.all(
      ['1', '2', '3'].map(async (each) => {
        const echo = await container.exec({ Cmd: ['echo', each], AttachStdout: true, AttachStderr: true });
        return (await parted(docker, await echo.start({}))).stdout;
      }),
    );
    expect(three).toEqual(['1\n', '2\n', '3\n']);
  });

  test('networks: create, connect, inspect, disconnect, remove', async () => {
    const network = await docker.createNetwork({
      Name: 'made',
      CheckDuplicate: true,
      IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] },
    });
    const container = await talker();
    await network.connect({
      Container: 'talker',
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.77.0.9' } },
    });
    await container.start();
    const { Networks } = (await container.inspect()).NetworkSettings;
    expect(Object.keys(Networks).sort()).toEqual(['bridge', 'made']);
    expect(Networks.made?.IPAddress).toBe('10.77.0.9');
    expect((await network.inspect()).Containers).toMatchObject({
      [container.id]: { IPv4Address: '10.77.0.9/24' },
    });
    await expect(network.remove()).rejects.toMatchObject({ statusCode: 403 });
    await network.disconnect({ Container: container.id });
    await network.remove();
    await expect(network.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  test('stats, top, archive, rename, stop, wait, remove; events tell it all', async () => {
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    const actions: string[] = [];
    events.on('data', (chunk: Buffer) => {
      for (const line of chunk
        .toString()
        .split('\n')
        .filter((each) => each !== '')) {
        actions.push((JSON.parse(line) as { Action: string }).Action); // every event has one
      }
    });
    const container = await talker();
    await container.start();
    const stats = await container.stats({ stream: false });
    expect(stats).toMatchObject({ name: '/talker', networks: { eth0: { rx_bytes: expect.any(Number) } } });
    expect(await container.top()).toMatchObject({ Titles: expect.arrayContaining(['PID']) });
    await container.putArchive(tarOf('note', 'put here'), { path: '/tmp' });
    expect(await text(await container.getArchive({ path: '/tmp/note' }))).toContain('put here');
    await container.rename({ name: 'renamed' });
    const ended = container.wait();
    await container.stop({ t: 0 });
    expect(await ended).toEqual({ StatusCode: 137 });
    await expect(container.stop()).rejects.toMatchObject({ statusCode: 304 });
    await container.remove({ v: true });
    await expect(container.remove()).rejects.toMatchObject({ statusCode: 404 });
    await until('the removal is told', () => actions.includes('destroy'));
    expect(actions).toEqual([
      'create',
      'start',
      'top',
      'extract-to-dir',
      'archive-path',
      'rename',
      'kill', // SIGTERM, which sh ignores
      'kill',
      'die',
      'stop',
      'destroy',
    ]);
    events.removeAllListeners();
  });

  test('docker.run() with AutoRemove; pull of nothing; build', async () => {
    const output = new PassThrough();
    const said = text(output);
    const [result] = await docker.run('alpine', ['sh', '-c', 'echo ran; exit 2'], output, {
      HostConfig: { AutoRemove: true },
    });
    expect(result).toEqual({ StatusCode: 2 });
    expect((await said).trim()).toBe('ran');
    await expect(docker.createContainer({ Image: 'nosuchimage' })).rejects.toMatchObject({ statusCode: 404 });
    const context = tarOf('Dockerfile', 'FROM alpine\nEXPOSE 8000\n');
    const progress = await docker.buildImage(context, { t: 'built' });
    await new Promise((resolve, reject) => {
      docker.modem.followProgress(progress, (error, lines) => (error ? reject(error) : resolve(lines)));
    });
    expect((await docker.getImage('built').inspect()).Config.ExposedPorts).toEqual({ '8000/tcp': {} });
    await docker.getImage('built').remove();
  });
});

describe('O11 testcontainers 11', () => {
  afterEach(async () => {
    const made = (await d.docker('images', '-q', '--filter', 'label=org.testcontainers=true')).split('\n');
    await d.docker.try(['rmi', '-f', ...made]);
  });

  test('ports, waits, execs, copies, networks with aliases, images from a Dockerfile', {
    timeout: 120_000,
  }, async () => {
    const context = join(d.world.base, 'context');
    mkdirSync(context);
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM nginx\nRUN echo built > /usr/share/nginx/html/index.html\n',
    );
    const tsx = join(ROOT, 'node_modules/tsx/dist/esm/index.mjs');
    const program = fileURLToPath(new URL('clients/testcontainers.ts', import.meta.url));
    const said = await run(
      'nsenter',
      [`--net=${d.world.netns.host}`, '--', 'node', '--import', tsx, program, context],
      {
        // No registry here, so none of its reaper's image; the test removes what it made.
        env: { DOCKER_HOST: `unix://${d.socket}`, TESTCONTAINERS_RYUK_DISABLED: 'true' },
        timeoutMs: 110_000,
      },
    );
    expect(JSON.parse(said.split('\n').at(-1) ?? '')).toEqual({
      byPort: {
        title: 'Welcome to nginx!',
        local: true,
        again: true,
        exec: { exitCode: 3, stdout: 'out\n', stderr: 'err\n' },
        parallel: ['1', '2', '3'],
        copied: true,
      },
      byLogAndHttp: { fixed: 24480, other: true },
      byOtherSigns: { log: 'done\n' },
      onANetwork: { db: 'hello by copy\n', database: 'hello by copy\n', byAddress: 'hello by copy\n' },
      fromDockerfile: 'built\n',
    });
    expect(await d.docker('ps', '-aq')).toBe('');
    expect(await d.docker('network', 'ls', '-q', '-f', 'type=custom')).toBe('');
  });
});

/**
 * A real viaductd on a made-up machine, and the real `docker` client to talk to it.
 *
 *     const daemon = await startDaemon();
 *     await daemon.docker('run', '-d', '--name', 'web', 'nginx');
 *     await daemon.host('curl -s 172.17.0.2');
 *     await daemon.stop();        // removes everything and checks that nothing is left
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Api, apiOf } from './api.js';
import { attempt, PATIENCE, type Result, type RunOptions, run, until } from './run.js';
import { watchLog } from './stands.js';
import { startUpstream, type Upstream } from './upstream.js';
import { createWorld, type Shell, type World } from './world.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const IMAGES = join(ROOT, '.cache/images');
type ImageName = 'alpine' | 'busybox' | 'nginx' | 'nettools';

/** The clients on this machine, newest first; DOCKER_CLI names another. */
export const CLIENTS = [process.env.DOCKER_CLI ?? '', '/usr/local/bin/docker', '/usr/bin/docker'].filter(
  (path) => path !== '' && existsSync(path),
);

/**
 * E2E_ENGINE=/usr/sbin/dockerd runs the same tests against Docker itself: a check of the tests, not of Viaduct. What
 * Docker leaves behind when it stops is then nobody's fault.
 */
const ENGINE = process.env.E2E_ENGINE ?? join(ROOT, 'bin/viaductd');
export const IS_VIADUCT = ENGINE.endsWith('/viaductd');

/** Milliseconds for which the daemon's event loop may stand; src/watchdog.ts. Twice what is promised: beside
 * the other lanes the same work takes so long here. 0: it is not looked at (an emulated processor). */
const LOOP_LIMIT = Number(process.env.TEST_LOOP_LIMIT ?? 100);

export interface StartOptions {
  /** further flags of viaductd */
  readonly flags?: readonly string[];
  /** daemon.json */
  readonly config?: object;
  readonly images?: readonly ImageName[];
  /** further environment of the daemon */
  readonly env?: Readonly<Record<string, string>>;
  /** a program and its arguments that become the daemon: of each of its lives, asked anew */
  readonly through?: () => readonly string[];
  /** path of the `docker` client */
  readonly client?: string;
  /** commands run on the host before the daemon starts */
  readonly before?: (world: World) => Promise<void>;
}

/** The client: resolves to its output, rejects on a non-zero exit code. `try` never rejects for that. */
interface Docker {
  (...args: string[]): Promise<string>;
  readonly try: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** under a terminal of 33 rows and 101 columns, `input` typed into it */
  readonly terminal: (args: readonly string[], input: string) => Promise<Result>;
}

export interface TestDaemon {
  readonly world: World;
  readonly host: Shell;
  readonly outside: Shell;
  readonly docker: Docker;
  readonly api: Api;
  /** the DNS server that the host's resolv.conf names */
  readonly upstream: Upstream;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** the daemon's process id */
  pid(): number;
  log(): string;
  /** SIGKILL, and waits until it is gone */
  kill9(): Promise<void>;
  /** resolves to its exit code when it ends, by whomever (137: SIGKILL) */
  ended(): Promise<number>;
  /** from now on: SIGKILL at a place of src/failpoints.ts (`kernel-step:2`, `any:7`); '': nowhere */
  dieAt(failpoint: string): void;
  /** starts it again after its end; `flags` replace the former ones */
  start(flags?: readonly string[]): Promise<void>;
  /** SIGTERM; resolves to its exit code */
  terminate(): Promise<number>;
  restart(): Promise<void>;
  /** every container, network and volume of the user's; images stay */
  clear(): Promise<void>;
  /** clears, terminates, removes the machine; rejects with a list of whatever the daemon left behind */
  stop(): Promise<void>;
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const dockerOf = (client: string, socket: string, base: string): Docker => {
  const env = {
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: join(base, 'client'),
    DOCKER_CLI_HINTS: 'false',
    DOCKER_BUILDKIT: '0',
  };
  return Object.assign((...args: string[]) => run(client, args, { env, timeoutMs: 60_000 }), {
    try: (args: readonly string[], options: RunOptions = {}) =>
      attempt(client, args, { ...options, env: { ...env, ...options.env } }),
    // `script` gives a terminal; the input comes a moment later, as from a person
    terminal: (args: readonly string[], input: string) =>
      attempt(
        'sh',
        [
          '-c',
          `(sleep 1; printf %s ${shellQuote(input)}; sleep 1) | script -qefc ${shellQuote(`stty rows 33 cols 101; exec ${[client, ...args].map(shellQuote).join(' ')}`)} /dev/null`,
        ],
        { env },
      ),
  });
};

/** Whatever the daemon should have taken away with it, one line each. */
const leftovers = async (world: World, execRoot: string): Promise<readonly string[]> => {
  const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
  const links = lines(await world.host("ip -o link | awk -F'[ :@]+' '{print $2}'"));
  const tables = lines(await world.host('nft list tables'));
  const namespaces = existsSync(join(execRoot, 'netns')) ? readdirSync(join(execRoot, 'netns')) : [];
  return [
    ...links.filter((name) => name !== 'lo' && name !== 'eth0').map((name) => `link ${name}`),
    ...tables.map((table) => table.replace(/^table /, 'nftables table ')),
    ...namespaces.map((name) => `namespace ${name}`),
    ...world.mounts().map((path) => `mount ${path}`),
    ...world
      .processes()
      .map((pid) => `process ${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`),
  ];
};

let everywhere: readonly string[] = [];
/** Every daemon of this file has these flags from now on, behind its own. */
export const withFlags = (...flags: readonly string[]): void => {
  everywhere = flags;
};

export const startDaemon = async (options: StartOptions = {}): Promise<TestDaemon> => {
  const world = await createWorld();
  const upstream = await startUpstream(world.netns.outside);
  try {
    await options.before?.(world);
    return await startDaemonIn(world, upstream, options);
  } catch (error) {
    upstream.close();
    await world.remove();
    throw error;
  }
};

/** On a machine that is there already; its end is the end of that machine. */
export const startDaemonIn = async (
  world: World,
  upstream: Upstream,
  options: StartOptions,
): Promise<TestDaemon> => {
  const { base } = world;
  const [dataRoot, execRoot, socket] = [join(base, 'data'), join(base, 'run'), join(base, 'docker.sock')];
  const [configFile, logFile] = [join(base, 'daemon.json'), join(base, 'daemon.log')];
  mkdirSync(join(base, 'client'));
  writeFileSync(configFile, JSON.stringify(options.config ?? {}));
  const api = apiOf(socket);
  const docker = dockerOf(options.client ?? CLIENTS[0] ?? 'docker', socket, base);
  let flags = options.flags ?? [];
  const env = {
    VIADUCT_FAILPOINTS: join(base, 'failpoint'),
    ...(LOOP_LIMIT > 0 ? { VIADUCT_LOOP_LIMIT: String(LOOP_LIMIT * PATIENCE) } : {}),
    ...options.env,
  };
  let child: ChildProcess | undefined;
  let exited: Promise<number> = Promise.resolve(0);

  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const pid = (): number => child?.pid ?? 0;
  watchLog(log);

  const start = async (again?: readonly string[]): Promise<void> => {
    flags = again ?? flags;
    const [program = '', ...enter] = world.enter;
    const places = ['--data-root', dataRoot, '--exec-root', execRoot, '--pidfile', join(base, 'pid')];
    if (IS_VIADUCT)
      places.push('--plugin-socket-dir', join(base, 'plugins'), '--plugin-spec-dir', join(base, 'specs'));
    const through = options.through?.() ?? [];
    const args = [
      ...enter,
      ...through,
      ENGINE,
      '-H',
      `unix://${socket}`,
      ...places,
      '--config-file',
      configFile,
    ];
    const started = spawn(program, [...args, ...flags, ...everywhere], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const sink = createWriteStream(logFile, { flags: 'a' });
    started.stdout.pipe(sink, { end: false });
    started.stderr.pipe(sink, { end: false });
    let code: number | undefined;
    child = started;
    exited = new Promise((resolve) => {
      started.on('exit', (status, signal) => {
        code = status ?? (signal === 'SIGKILL' ? 137 : 1);
        resolve(code);
      });
    });
    await until(
      `viaductd answers; it said:\n${log()}`,
      async () => {
        if (code !== undefined) throw new Error(`viaductd ended with exit code ${code}:\n${log()}`);
        return api('GET', '/_ping').then(
          ({ status }) => status === 200,
          () => false,
        );
      },
      20_000,
    );
  };

  const end = async (signal: NodeJS.Signals): Promise<number> => {
    child?.kill(signal);
    const late = setTimeout(() => child?.kill('SIGKILL'), 30_000);
    const code = await exited;
    clearTimeout(late);
    return code;
  };

  const clear = async (): Promise<void> => {
    const ids = (text: string): string[] => text.split('\n').filter((line) => line !== '');
    const containers = ids(await docker('ps', '-aq'));
    if (containers.length > 0) await docker('rm', '-f', '-v', ...containers);
    const networks = ids(await docker('network', 'ls', '-q', '--filter', 'type=custom'));
    if (networks.length > 0) await docker('network', 'rm', ...networks);
    const volumes = ids(await docker('volume', 'ls', '-q'));
    if (volumes.length > 0) await docker('volume', 'rm', ...volumes);
  };

  const stop = async (): Promise<void> => {
    try {
      await clear();
      const code = await end('SIGTERM');
      const left = await until(
        'nothing of the daemon is left',
        async () => {
          const now = await leftovers(world, execRoot);
          return now.length === 0 ? now : undefined;
        },
        IS_VIADUCT ? 3_000 : 0,
      ).catch(() => leftovers(world, execRoot));
      if (IS_VIADUCT && (code !== 0 || left.length > 0)) {
        throw new Error(
          `viaductd ended with exit code ${code} and left behind:\n${left.join('\n')}\nIts log:\n${log().slice(-4000)}`,
        );
      }
    } finally {
      await end('SIGKILL');
      upstream.close();
      await world.remove();
    }
  };

  await start();
  try {
    await loadImages(docker, options.images ?? ['alpine']);
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return {
    world,
    host: world.host,
    outside: world.outside,
    docker,
    api,
    upstream,
    socket,
    dataRoot,
    execRoot,
    pid,
    log,
    ended: () => exited,
    dieAt: (failpoint) => writeFileSync(env.VIADUCT_FAILPOINTS, failpoint),
    start,
    clear,
    stop,
    kill9: async () => void (await end('SIGKILL')),
    terminate: () => end('SIGTERM'),
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
  };
};

const loadImages = async (docker: Docker, names: readonly ImageName[]): Promise<void> => {
  for (const name of names) await docker('load', '-q', '-i', join(IMAGES, `${name}.tar`));
};

/**
 * A daemon under measurement, Viaduct or Debian's dockerd, on a machine of its own made of namespaces (the tests' World:
 * entered by nsenter, because `ip netns exec` would hide the cgroups), with its own data root, exec root, socket and pid
 * file. Both are started, asked and stopped by the same code.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeCgroups } from '../test/support/cgroups.js';
import { ROOT } from '../test/support/daemon.js';
import { pluginSockets } from '../test/support/plugin-process.js';
import { run } from '../test/support/run.js';
import { createWorld, type Wire, type World } from '../test/support/world.js';
import { type Client, createClient, type Timed } from './http.js';
import { onEnd } from './undo.js';

export type EngineName = 'viaduct' | 'dockerd';

export interface Engine {
  readonly name: EngineName;
  readonly world: World;
  readonly socket: string;
  /** what GET /version calls it */
  readonly version: string;
  api(method: string, path: string, body?: unknown): Promise<Timed>;
  /** processes of its machine but those inside containers: daemon, monitors, proxies */
  processes(): readonly number[];
  /** ends it with `signal`, starts it again until `ready` accepts an answer */
  restart(signal: 'SIGTERM' | 'SIGKILL', ready: (api: Engine['api']) => Promise<boolean>): Promise<Restart>;
  /** every container and every network that a user made */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

interface Restart {
  /** milliseconds from the signal until the old process was gone */
  readonly goneMs: number;
  /** milliseconds from the new process to the answer */
  readonly readyMs: number;
}

export interface EngineOptions {
  /** directory for a CPU profile of Viaduct, written when it stops */
  readonly profile?: string;
  /** one of several machines, by its number there; else it has an outside of its own */
  readonly on?: { readonly wire: Wire; readonly number: number };
}

const DOCKERD = '/usr/sbin/dockerd';

interface Place {
  readonly base: string;
  readonly socket: string;
  readonly cgroup: string;
  /** dockerd in a swarm refuses it */
  readonly liveRestore: boolean;
}

const flagsOf = ({ base, socket, liveRestore }: Place): string[] => [
  ...['-H', `unix://${socket}`, '--data-root', join(base, 'data'), '--exec-root', join(base, 'run')],
  ...['--pidfile', join(base, 'pid'), '--config-file', join(base, 'daemon.json')],
  ...(liveRestore ? ['--live-restore'] : []),
];

/** An Open vSwitch and plugins of the world's own, where a figure starts them there; never the machine's. */
const viaductFlags = (place: Place): string[] => [
  ...flagsOf(place),
  ...['--ovs-run-dir', join(place.base, 'ovs'), '--plugin-socket-dir', pluginSockets(place)],
];

const viaductCommand = (place: Place, { profile }: EngineOptions): string[] => {
  if (!profile) return [join(ROOT, 'bin/viaductd'), ...viaductFlags(place)];
  const main = join(ROOT, process.env.VIADUCT_DIST ?? 'dist', 'main.js');
  return ['node', '--cpu-prof', `--cpu-prof-dir=${profile}`, main, ...viaductFlags(place)];
};

const commandOf = (name: EngineName, place: Place, options: EngineOptions): string[] =>
  name === 'viaduct'
    ? viaductCommand(place, options)
    : [DOCKERD, ...flagsOf(place), '--cgroup-parent', place.cgroup];

/**
 * A containerd of the host would be used by dockerd instead of one of its own, and its shims' sockets lie in
 * /run/containerd whatever the exec root; /etc/docker gets dockerd's key.
 */
const hideHostsDocker = async (world: World): Promise<void> => {
  await world.host(`
    for place in /run/containerd /etc/docker; do
      if [ -d $place ]; then mount -t tmpfs tmpfs $place; fi
    done`);
};

export const objects = (answer: Timed): readonly Record<string, unknown>[] =>
  Array.isArray(answer.json) ? answer.json : [];

const UNDELETABLE: ReadonlySet<unknown> = new Set(['bridge', 'host', 'none', 'ingress', 'docker_gwbridge']);

const clearAll = async (api: Engine['api']): Promise<void> => {
  for (const { Id } of objects(await api('GET', '/containers/json?all=1')))
    await api('DELETE', `/containers/${String(Id)}?force=1&v=1`);
  for (const { Id, Name } of objects(await api('GET', '/networks')))
    if (!UNDELETABLE.has(Name)) await api('DELETE', `/networks/${String(Id)}`);
};

const STEP_MS = 2;

/** A connection of its own, so that a socket which does not answer yet is no matter. */
const firstAnswer = async (
  socket: string,
  ready: (api: Engine['api']) => Promise<boolean>,
  ended: () => string | undefined,
): Promise<void> => {
  const end = performance.now() + 120_000;
  const client = createClient(socket);
  try {
    for (;;) {
      if (existsSync(socket) && (await ready(client.call).catch(() => false))) return;
      const why = ended();
      if (why !== undefined) throw new Error(why);
      if (performance.now() > end) throw new Error(`no answer at ${socket} within 120 s`);
      await sleep(STEP_MS);
    }
  } finally {
    client.close();
  }
};

const alive: (api: Engine['api']) => Promise<boolean> = async (api) =>
  (await api('GET', '/_ping')).status === 200;

/** The daemon's process. In a process group of its own: Ctrl-C is for the benchmark, which then stops it. */
class Daemon {
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #said = '';
  #closed = false;

  constructor(
    readonly name: EngineName,
    readonly command: readonly string[],
    readonly socket: string,
    readonly log: string,
  ) {}

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(ready = alive): Promise<number> {
    if (this.#closed) throw new Error('interrupted');
    const [program = '', ...args] = this.command;
    const begin = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const sink = createWriteStream(this.log, { flags: 'a' });
    let ended = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.pipe(sink, { end: false });
      stream.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString()).slice(-4000);
      });
    }
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.on('error', () => resolve());
      child.on('exit', () => {
        ended = true;
        sink.end();
        resolve();
      });
    });
    const why = () => (ended ? `${this.name} ended at once; it said:\n${this.#said}` : undefined);
    await firstAnswer(this.socket, ready, why);
    return performance.now() - begin;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), 30_000);
    await this.#exited;
    clearTimeout(late);
  }

  /** Ends it and never starts again, whoever is about to. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.end('SIGTERM');
  }
}

const versionOf = async (client: Client): Promise<string> => {
  const { json } = await client.call('GET', '/version');
  return json && typeof json === 'object' && 'Version' in json ? String(json.Version) : '?';
};

const withTimeLimit = async (what: string, ms: number, work: Promise<void>): Promise<void> => {
  const late = sleep(ms, 'late', { ref: false });
  if ((await Promise.race([work.catch((e: unknown) => String(e)), late])) === 'late')
    process.stderr.write(`bench: ${what} took more than ${ms / 1000} s: killed instead\n`);
};

export const startEngine = async (name: EngineName, options: EngineOptions = {}): Promise<Engine> => {
  const making = createWorld(options.on);
  const removeWorld = onEnd(async () => (await making).remove()); // also when interrupted in the middle of it
  const world = await making;
  await hideHostsDocker(world);
  const { base } = world;
  const place: Place = {
    base,
    socket: join(base, 's'),
    cgroup: `/viaduct-bench-${process.pid}${options.on ? `-${options.on.number}` : ''}`,
    liveRestore: options.on === undefined,
  };
  mkdirSync(join(base, 'client'));
  writeFileSync(join(base, 'daemon.json'), '{}');
  const command = [...world.enter, ...commandOf(name, place, options)];
  const daemon = new Daemon(name, command, place.socket, join(base, 'log'));
  let client = createClient(place.socket);
  const api: Engine['api'] = (method, path, body) => client.call(method, path, body);
  const stop = onEnd(async () => {
    await withTimeLimit(`${name}: removing its containers`, 180_000, clearAll(api));
    client.close();
    await daemon.close();
    await removeWorld();
    if (name === 'dockerd') removeCgroups(place.cgroup);
  });
  await daemon.start();
  return {
    name,
    world,
    socket: place.socket,
    version: await versionOf(client),
    api,
    processes: world.processes,
    restart: async (signal, ready) => {
      client.close();
      const begin = performance.now();
      await daemon.end(signal);
      const goneMs = performance.now() - begin;
      const readyMs = await daemon.start(ready);
      client = createClient(place.socket);
      return { goneMs, readyMs };
    },
    clear: () => clearAll(api),
    stop,
  };
};

/** The client's output; `client`: its path. */
export const docker = (engine: Engine, client: string, ...args: readonly string[]): Promise<string> =>
  run(client, ['-H', `unix://${engine.socket}`, ...args], {
    env: { DOCKER_CONFIG: join(engine.world.base, 'client') },
    timeoutMs: 120_000,
  });

/** The same images into each, by the same client. */
export const loadImages = async (
  engine: Engine,
  client: string,
  archives: readonly string[],
): Promise<void> => {
  for (const archive of archives) await docker(engine, client, 'load', '-q', '-i', archive);
};

/**
 * Serf's agent as a program on this machine: started detached, adopted by the next daemon. Its RPC has no socket of its own, only
 * a port of the loopback, so it answers nobody without a secret that lies in a file of root's.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../../errors.js';
import { adoptLasting, freePort, type LastingProgram, lastWords, startLasting } from '../lasting-program.js';
import type { SerfKey, SerfProcess, SerfSettings } from './contract.js';
import { connectSerf } from './rpc.js';

/** Swarm's, and Serf's own. */
export const SERF_PORT = 7946;

const START_MS = 20_000;
const STOP_MS = 3_000;
const LOOK_MS = 50;
/** Of ports: another program may take a free one before Serf does. */
const TRIES = 3;

export const newSerfKey = (): SerfKey => randomBytes(32).toString('base64');

const textOf = ({ host, port }: SerfSettings['bind']): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

interface Rpc {
  readonly port: number;
  readonly secret: string;
}

const placesOf = (directory: string) => ({
  configuration: join(directory, 'agent.json'),
  keyring: join(directory, 'keyring.json'),
  snapshot: join(directory, 'snapshot'),
  record: join(directory, 'serf.json'),
});

/** The agent's configuration. Pure. */
export const serfConfiguration = (settings: SerfSettings, rpc: Rpc): object => {
  const { keyring, snapshot } = placesOf(settings.directory);
  return {
    node_name: settings.name,
    bind: textOf(settings.bind),
    advertise: textOf(settings.advertise),
    rpc_addr: `127.0.0.1:${rpc.port}`,
    rpc_auth: rpc.secret,
    keyring_file: keyring,
    tags: settings.tags,
    retry_join: settings.join,
    // It asks once at its start and then each time: 30 s would be long for two nodes that start together.
    retry_interval: '1s',
    // Where it is started again it finds by itself whom it knew.
    snapshot_path: snapshot,
    rejoin_after_leave: true,
    replay_on_join: false,
    // Goodbyes are said by RPC; a daemon's or a machine's end is none.
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    // Nobody asks how far away others are.
    disable_coordinates: true,
    profile: 'lan',
    log_level: 'warn',
  };
};

const writeSecret = (file: string, value: object): void => {
  rmSync(file, { force: true });
  writeFileSync(file, JSON.stringify(value), { mode: 0o600, flag: 'wx' });
};

const processOf = (program: LastingProgram): SerfProcess => ({
  pid: program.pid,
  rpc: { port: Number(program.notes.port), secret: String(program.notes.secret) },
  ended: program.ended,
  stop: () => program.stop(STOP_MS),
});

/** The agent that a former daemon started; undefined: none runs. */
export const adoptSerf = async (directory: string): Promise<SerfProcess | undefined> => {
  const program = await adoptLasting(placesOf(directory).record);
  return program && processOf(program);
};

const startOnce = async (program: string, settings: SerfSettings): Promise<SerfProcess | undefined> => {
  const { directory, logFile, keys } = settings;
  const rpc: Rpc = { port: await freePort(), secret: randomBytes(24).toString('hex') };
  const { configuration, keyring, record } = placesOf(directory);
  writeSecret(keyring, keys);
  writeSecret(configuration, serfConfiguration(settings, rpc));
  const started = processOf(
    await startLasting({
      path: program,
      args: ['agent', `-config-file=${configuration}`],
      cwd: directory,
      logFile,
      record,
      notes: { ...rpc },
    }),
  );
  try {
    return (await answers(started)) ? started : undefined;
  } catch (error) {
    await started.stop();
    throw error;
  }
};

/** False: it has ended. Throws unavailable where it lives and is silent. */
const answers = async ({ rpc, ended }: SerfProcess): Promise<boolean> => {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  for (const begun = performance.now(); ; ) {
    const serf = await connectSerf(rpc).catch(() => undefined);
    serf?.close();
    if (serf) return true;
    if (over) return false;
    if (performance.now() - begun > START_MS)
      throw unavailable(`Serf did not answer within ${START_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
};

/** Starts the agent; resolves when its RPC answers. `program`: path of serf. Throws unavailable, with its last words. */
export const startSerf = async (program: string, settings: SerfSettings): Promise<SerfProcess> => {
  mkdirSync(settings.directory, { recursive: true, mode: 0o700 });
  for (let tried = 0; tried < TRIES; tried += 1) {
    const started = await startOnce(program, settings);
    if (started) return started;
  }
  throw unavailable(`Serf ended when it was started: ${lastWords(settings.logFile)}`);
};

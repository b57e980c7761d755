/**
 * etcd as a program on this machine: started detached, adopted by the next daemon. Its client side is a unix socket in a
 * directory of root's; its peer side one that only the door leads to. Invariant: its flags are a pure function of the settings and
 * of its version.
 */
import { createHash } from 'node:crypto';
import { constants, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { internal, unavailable } from '../../errors.js';
import { ANSWER_LIMIT, runProgram } from '../../kernel/program.js';
import { adoptLasting, freePort, type LastingProgram, lastWords, startLasting } from '../lasting-program.js';
import { createEtcdClient } from './client.js';
import type { Beginning, Endpoint, EtcdProcess, EtcdSettings } from './contract.js';

/** Sockets are made in the working directory by these names: etcd takes no path, only `name:port`. */
const CLIENT_SOCKET = 'client:1';
const PEER_SOCKET = 'peer:1';

/** Bytes, where the settings say nothing. */
export const QUOTA = 2 * 1024 ** 3;
/**
 * Raft's messages pass through a Node process, which may stand for a moment. etcd's own defaults are 100 and 1000 ms; a leader's
 * loss is noticed after up to twice the election's.
 */
const HEARTBEAT_MS = 300;
const ELECTION_MS = 3_000;
const KEPT_CHANGES = 10_000;
/** An empty store answers at once, one of gigabytes after reading it. */
const START_MS = 60_000;
const STOP_MS = 10_000;
const LOOK_MS = 100;
/** Without a quorum it says nothing; so long it is watched whether it stays. */
const SETTLE_MS = 3_000;

/** `3.4.23` → [3, 4] */
const majorMinor = (version: string): readonly [number, number] => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return [major, minor];
};

/**
 * Whether the peers' side may be a unix socket. From 3.5 on etcd speaks no TLS there, whatever its flags say; on the loopback it
 * does, and asks for a manager's certificate that names 127.0.0.1.
 */
export const hasPeerSocket = (version: string): boolean => {
  const [major, minor] = majorMinor(version);
  return major === 3 && minor < 5;
};

const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `https://${host.includes(':') ? `[${host}]` : host}:${port}`;

/** What other members are told to reach it by. */
export const peerUrl = (settings: Pick<EtcdSettings, 'advertise'>): string => urlOf(settings.advertise);

const beginning = (settings: EtcdSettings, begin: Beginning): readonly string[] => {
  const own = [[settings.name, peerUrl(settings)] as const];
  const members = begin.kind === 'join' ? begin.members : own;
  return [
    `--initial-cluster=${members.map(([name, url]) => `${name}=${url}`).join(',')}`,
    // Read only where there is no member yet: one that should be there must never become a cluster of its own.
    `--initial-cluster-state=${begin.kind === 'join' || begin.kind === 'again' ? 'existing' : 'new'}`,
    ...(begin.kind === 'force-new' ? ['--force-new-cluster'] : []),
  ];
};

/** `peerPort`: on the loopback, for versions that have no socket for peers. */
export const etcdArguments = (
  settings: EtcdSettings,
  begin: Beginning,
  version: string,
  peerPort: number,
): readonly string[] => {
  const { name, clusterToken, dataDirectory, files, quota = QUOTA } = settings;
  const url = peerUrl(settings);
  const bySocket = hasPeerSocket(version);
  return [
    `--name=${name}`,
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=unix://${CLIENT_SOCKET}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${bySocket ? `unixs://${PEER_SOCKET}` : `https://127.0.0.1:${peerPort}`}`,
    `--initial-advertise-peer-urls=${url}`,
    `--initial-cluster-token=${clusterToken}`,
    ...beginning(settings, begin),
    `--peer-cert-file=${files.certificate}`,
    `--peer-key-file=${files.key}`,
    `--peer-trusted-ca-file=${files.trust}`,
    '--peer-client-cert-auth',
    '--peer-cert-allowed-hostname=swarm-manager',
    // Behind the door every connection comes from `@`, which no certificate names.
    ...(bySocket ? ['--experimental-peer-skip-client-san-verification'] : []),
    `--heartbeat-interval=${HEARTBEAT_MS}`,
    `--election-timeout=${ELECTION_MS}`,
    `--quota-backend-bytes=${quota}`,
    // Changes kept in memory for members that were away: a tenth of etcd's own number.
    `--snapshot-count=${KEPT_CHANGES}`,
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=5m',
    '--logger=zap',
    '--log-outputs=stderr',
  ];
};

/** Go takes memory back sooner; and etcd 3.4 starts on ARM only where it is told that this is known. */
const ENVIRONMENT = ['GOGC=50', ...(process.arch === 'arm64' ? ['ETCD_UNSUPPORTED_ARCH=arm64'] : [])];

const versionOf = async (program: string): Promise<string> => {
  const said = await runProgram({ command: program, args: ['--version'], limit: ANSWER_LIMIT });
  const [, version] = /etcd Version: (\d+\.\d+\.\d+)/.exec(said.toString('latin1')) ?? [];
  if (!version) throw internal(`${program} --version says nothing of a version`);
  return version;
};

const recordOf = ({ runDirectory }: Pick<EtcdSettings, 'runDirectory'>): string =>
  join(runDirectory, 'etcd.json');

const processOf = (program: LastingProgram, runDirectory: string): EtcdProcess => {
  const { version, peerPort, trust = '' } = program.notes;
  const client: Endpoint = { kind: 'unix', path: join(runDirectory, CLIENT_SOCKET) };
  const peers: Endpoint = hasPeerSocket(String(version))
    ? { kind: 'unix', path: join(runDirectory, PEER_SOCKET) }
    : { kind: 'tcp', host: '127.0.0.1', port: Number(peerPort) };
  return {
    pid: program.pid,
    version: String(version),
    trust: String(trust),
    client,
    peers,
    ended: program.ended,
    stop: () => program.stop(STOP_MS),
  };
};

/** Digest of whom a member would trust that starts now, as of `EtcdProcess.trust`. */
export const trustIn = ({ files }: Pick<EtcdSettings, 'files'>): string =>
  createHash('sha256').update(readFileSync(files.trust)).digest('hex');

/** The member that a former daemon started; undefined: none runs. */
export const adoptEtcd = async (
  settings: Pick<EtcdSettings, 'runDirectory'>,
): Promise<EtcdProcess | undefined> => {
  const program = await adoptLasting(recordOf(settings));
  return program && processOf(program, settings.runDirectory);
};

const requireMember = (dataDirectory: string): void => {
  if (!existsSync(join(dataDirectory, 'member', 'wal')))
    throw unavailable(`the swarm's data is gone from ${dataDirectory}: leave the swarm and join it again`);
};

/**
 * Starts the member; resolves when it answers, or where it runs and finds no quorum yet: until it has found one it answers
 * nobody. `program`: path of etcd. Throws unavailable, with its last words, where it ends or is silent.
 */
export const startEtcd = async (
  program: string,
  settings: EtcdSettings,
  begin: Beginning,
): Promise<EtcdProcess> => {
  const { runDirectory, dataDirectory, logFile } = settings;
  if (begin.kind === 'again' || begin.kind === 'force-new') requireMember(dataDirectory);
  for (const directory of [runDirectory, dataDirectory])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  const version = await versionOf(program);
  const peerPort = hasPeerSocket(version) ? 0 : await freePort();
  // What a killed one left would be "address already in use".
  for (const socket of [CLIENT_SOCKET, PEER_SOCKET]) rmSync(join(runDirectory, socket), { force: true });
  const started = await startLasting({
    path: program,
    args: etcdArguments(settings, begin, version, peerPort),
    cwd: runDirectory,
    env: ENVIRONMENT,
    logFile,
    record: recordOf(settings),
    notes: { version, peerPort, trust: trustIn(settings) },
  });
  const found = processOf(started, runDirectory);
  try {
    await comesUp(found, logFile);
    return found;
  } catch (error) {
    await found.stop();
    throw error;
  }
};

const takesConnection = (endpoint: Endpoint): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = endpoint.kind === 'unix' ? connect(endpoint.path) : connect(endpoint.port, endpoint.host);
    const say = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.on('error', say(false)).once('connect', say(true));
  });

/** Its peers' side is there early, and most of what is wrong ends it soon after. */
const comesUp = async (found: EtcdProcess, logFile: string): Promise<void> => {
  const client = createEtcdClient({ endpoints: [found.client], limits: { answerMs: LOOK_MS } });
  let over = false;
  void found.ended.then(() => {
    over = true;
  });
  const begun = performance.now();
  let listens: number | undefined;
  try {
    for (;;) {
      if (over) throw unavailable(`etcd ended when it was started: ${lastWords(logFile)}`);
      const now = performance.now();
      if (listens === undefined && (await takesConnection(found.peers))) listens = now;
      if (listens !== undefined && (await client.status().catch(() => undefined))) return;
      if (listens !== undefined && now - listens > SETTLE_MS) return;
      if (now - begun > START_MS)
        throw unavailable(`etcd did not come up within ${START_MS / 1000} s: ${lastWords(logFile)}`);
      await sleep(LOOK_MS);
    }
  } finally {
    client.close();
  }
};

/**
 * Stops and starts it again, for what it reads only then: other authorities, another address. Its members see one that is away
 * for a second; ask first whether the others are healthy.
 */
export const restartEtcd = async (
  program: string,
  running: EtcdProcess,
  settings: EtcdSettings,
): Promise<EtcdProcess> => {
  await running.stop();
  return startEtcd(program, settings, { kind: 'again' });
};

/**
 * The only survivor becomes a cluster of one, which others may join. What it had lies in `DIRECTORY.before` from then on: etcd has
 * spoiled members this way. Resolves when it answers.
 */
export const forceNewCluster = async (
  program: string,
  running: EtcdProcess | undefined,
  settings: EtcdSettings,
): Promise<EtcdProcess> => {
  const { dataDirectory } = settings;
  requireMember(dataDirectory);
  await running?.stop();
  const copy = `${dataDirectory}.before`;
  await rm(copy, { recursive: true, force: true });
  await cp(dataDirectory, copy, { recursive: true, mode: constants.COPYFILE_FICLONE });
  return startEtcd(program, settings, { kind: 'force-new' });
};

/** The `viaductd` process: its arguments, pid file, signals and exit code. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import type { DaemonConfig } from './config/contract.js';
import { type Invocation, readInvocation, reloadable } from './config/index.js';
import { type Daemon, startDaemon } from './daemon.js';
import { attempt, invalid, messageOf } from './errors.js';
import { claimNamespace, claimRoots } from './kernel/claim.js';
import { raiseOpenFiles } from './kernel/ffi.js';
import { hearTheUncaught } from './last-resort.js';
import { giveBackSpareMemory } from './spare-memory.js';
import { watchLoop } from './watchdog.js';

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

const fail = (error: unknown): never => {
  process.stderr.write(`viaductd: ${messageOf(error)}\n`);
  process.exit(1);
};

const readArguments = (): Invocation => {
  try {
    return readInvocation(process.argv.slice(2), VERSION);
  } catch (error) {
    return fail(error);
  }
};

const isAlive = (pid: number): boolean =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.')) ?? false;

/** One daemon a pid file; a file left by a crash is taken over. */
const claimPidFile = (path: string): void => {
  const other = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  if (other > 0 && other !== process.pid && isAlive(other))
    throw invalid(
      `process with PID ${other} is still running (pid file ${path}): stop it, or give --pidfile, --data-root and --exec-root of its own`,
    );
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(process.pid));
};

/** Each held port is a descriptor. dockerd's unit files set the same figure. */
const OPEN_FILES = 1_048_576;

const raiseOpenFileLimit = (log: pino.Logger): void => {
  try {
    raiseOpenFiles(OPEN_FILES);
  } catch (error) {
    log.info(
      { error: String(error) },
      'the limit of open files stays: it bounds how many ports can be published',
    );
  }
};

/** Milliseconds, as dockerd waits. What is recorded is whole at every instruction (ADR 2), so ending is safe at any. */
const STOP_LIMIT = 15_000;

const run = async (config: DaemonConfig, warnings: readonly string[]): Promise<void> => {
  const log = pino(
    { level: config.debug ? 'debug' : config.logLevel },
    pino.destination({ dest: 2, sync: true }),
  );
  hearTheUncaught(log, () => process.exit(1));
  for (const warning of warnings) log.warn(warning);
  if (process.getuid?.() !== 0) throw invalid('needs root: start it with sudo');
  await claimRoots(config.dataRoot, config.execRoot);
  await claimNamespace((message) => log.warn(message));
  claimPidFile(config.pidFile);
  raiseOpenFileLimit(log);
  const daemon = await startDaemon(config, log, VERSION);
  giveBackSpareMemory();
  const loopLimit = Number(process.env.VIADUCT_LOOP_LIMIT ?? 0);
  if (loopLimit > 0) watchLoop(loopLimit, log);
  process.on('SIGHUP', () => reload(daemon, log));
  const stop = (signal: string): void => {
    log.info({ signal }, 'stopping; containers go on');
    const end = (): void => {
      rmSync(config.pidFile, { force: true });
      process.exit(0);
    };
    setTimeout(() => {
      log.warn('something does not let go: the daemon ends without waiting for it');
      end();
    }, STOP_LIMIT).unref();
    void daemon.close().then(end, (error: unknown) => fail(error));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  log.info({ version: VERSION, hosts: config.hosts }, 'viaductd is ready');
};

const reload = (daemon: Daemon, log: pino.Logger): void => {
  try {
    const again = readInvocation(process.argv.slice(2), VERSION);
    if (again.kind !== 'run') return;
    const { config, changed, needRestart, attributes } = reloadable(daemon.engine.config, again.config);
    daemon.engine.reload(config, attributes);
    log.level = config.debug ? 'debug' : config.logLevel;
    log.info({ changed, needRestart }, 'configuration reloaded');
  } catch (error) {
    log.error({ error: String(error) }, 'configuration not reloaded: the former one stays');
  }
};

const invocation = readArguments();
if (invocation.kind === 'print') process.stdout.write(invocation.text);
else run(invocation.config, invocation.warnings).catch(fail);

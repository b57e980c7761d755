/** Create, start, signal, pause, remove, and finding again after a restart of the daemon. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, conflict, internal, invalid, unavailable } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { makeDirectories } from '../files/directories.js';
import * as ffi from '../kernel/ffi.js';
import { identify, isAlive, type ProcessIdentity, SIGKILL, signal } from '../kernel/processes.js';
import { ANSWER_LIMIT, ChildError, runProgram } from '../kernel/program.js';
import { endLauncher, launch, logArguments } from './conmon.js';
import type { Context } from './context.js';
import type { Exit, StartRequest } from './contract.js';
import { createFailure } from './failure.js';
import { idsIn } from './layout.js';
import { lookUpDevices, lookUpFiles, lookUpUser } from './lookup.js';
import { mountSharedMemory, releaseSharedMemory, sharedMemoryOf } from './shared-memory.js';
import { containerSeccomp, containerSpec, specText } from './spec/config.js';

/** milliseconds to wait for processes that were killed to be gone */
const PATIENCE = 10_000;
/** milliseconds for conmon to write what it has once its container has ended */
const LAST_WORDS = 5_000;

const initOf = (request: StartRequest, context: Context): string => {
  const { PidMode } = request.container.hostConfig;
  if (!request.init || (PidMode && PidMode !== 'private')) return '';
  if (context.machine.init === '')
    throw unavailable(
      '--init (of the container or the daemon) needs a static init program: apt-get install tini (or catatonit)',
    );
  return context.machine.init;
};

/** Docker makes a working directory that the image lacks; one below a mount is left to the mounted files. */
const prepareWorkingDirectory = (request: StartRequest, directory: string): void => {
  if (directory === '/') return;
  if (request.container.mounts.some(({ destination }) => `${directory}/`.startsWith(`${destination}/`)))
    return;
  try {
    makeDirectories(request.rootfs, directory);
  } catch (cause) {
    throw invalid(`failed to create working directory ${directory}`, cause);
  }
};

type Preparation = Pick<StartRequest, 'container' | 'rootfs' | 'pidOf'>;

const memoryOf = (request: Preparation, { layout, records }: Context): string => {
  const donor = request.pidOf?.ipc === undefined ? undefined : records.idOf(request.pidOf.ipc);
  return sharedMemoryOf(request, layout, donor);
};

/** Nothing in it waits for anybody, so that the OCI runtime is at work before the networks are. */
const writeBundle = (
  request: StartRequest,
  context: Context,
): { keepAs?: string; namespace: string | undefined } => {
  const { container } = request;
  const { layout, machine } = context;
  if (container.args.length === 0) throw invalid('no command specified');
  const user = lookUpUser(
    request.rootfs,
    container.config.User || request.image.config.User,
    container.hostConfig.GroupAdd ?? [],
  );
  const bundle = layout.bundle(container.id);
  const form = context.seccomp.form(containerSeccomp(request, machine.facts));
  const wanted = containerSpec(
    request,
    {
      host: machine.facts,
      user,
      devices: lookUpDevices(container.hostConfig),
      files: lookUpFiles(container.mounts),
      init: initOf(request, context),
      shm: memoryOf(request, context),
    },
    form,
  );
  prepareWorkingDirectory(request, wanted.process.cwd);
  const { namespace, spec } = context.handOver.give(container.id, wanted);
  writeFileSync(join(bundle, 'config.json'), specText(spec), { mode: 0o600 });
  // Kept apart: an exec starts from it, and the limits in config.json's text do not survive a JavaScript number.
  writeFileSync(join(bundle, 'process.json'), JSON.stringify(spec.process), { mode: 0o600 });
  return { namespace, ...(form.keepAs ? { keepAs: form.keepAs } : {}) };
};

/** Of what a container is made, all that has to be waited for; `remove` takes it away. */
export const prepare = async (request: Preparation, context: Context): Promise<void> => {
  const { layout, handOver } = context;
  const { container, rootfs } = request;
  const bundle = layout.bundle(container.id);
  if (existsSync(bundle)) await remove(container.id, context);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  await mountSharedMemory(request, layout);
  const memory = { source: memoryOf(request, context), propagation: 'rprivate' };
  await handOver.prepare(
    container.id,
    rootfs,
    [memory, ...container.mounts].filter(({ source }) => source !== ''),
  );
};

/** `given up`: somebody wants the container away; conmon and what it started are ended, and all is cleared. */
export const create = async (
  request: StartRequest,
  context: Context,
  givenUp?: AbortSignal,
): Promise<{ readonly pid: number }> => {
  const { layout, records, exits } = context;
  const { id, config, hostConfig } = request.container;
  context.migration.warm();
  try {
    if (!context.handOver.isReady(id)) await prepare(request, context);
    exits.clear(id);
    const { keepAs, namespace } = writeBundle(request, context);
    failpoint('bundle-written');
    mkdirSync(layout.logs(id), { recursive: true, mode: 0o700 });
    const pid = await launch(
      {
        id,
        tty: config.Tty,
        stdin: config.OpenStdin,
        keepStdin: config.OpenStdin && (config.Tty || !config.StdinOnce),
        logging: logArguments(layout.log(id), hostConfig.LogConfig),
        namespace,
      },
      context,
      givenUp,
    );
    failpoint('runtime-launched');
    void context.handOver.takeBack(id); // it has its own by now
    records.set(id, {
      process: identify(pid),
      conmon: identify(Number(readFileSync(join(layout.bundle(id), 'conmon.pid'), 'latin1'))),
      tty: config.Tty,
      stdin: config.OpenStdin,
      stdinOnce: config.StdinOnce,
      rootfs: request.rootfs,
    });
    if (keepAs) context.seccomp.keep(keepAs, id);
    return { pid };
  } catch (error) {
    await remove(id, context).catch((cause) =>
      context.logger.warn({ id, cause }, 'clearing a failed create'),
    );
    throw error;
  }
};

const fifoOf = (id: string, context: Context): string => join(context.layout.states, id, 'exec.fifo');

/** crun's container waits for a byte on this pipe; without a reader (ENXIO) it has ended, or was started before. */
const release = (id: string, context: Context): boolean => {
  const path = fifoOf(id, context);
  const fd = attempt(() => openSync(path, ffi.O.WRONLY | ffi.O.NONBLOCK));
  if (fd === undefined) return false;
  try {
    writeSync(fd, Buffer.alloc(1));
    rmSync(path, { force: true });
    return true;
  } finally {
    closeSync(fd);
  }
};

export const start = async (id: string, context: Context): Promise<void> => {
  const record = context.records.need(id);
  const { runtime } = context.machine;
  if (runtime.name === 'crun') {
    if (release(id, context)) return;
    if (isAlive(record.process)) throw conflict(`Container ${id} is already running`);
    throw createFailure('the container ended before it was started');
  }
  try {
    const args = [`--root=${context.layout.states}`, 'start', id];
    await runProgram({ command: runtime.path, args, limit: ANSWER_LIMIT });
  } catch (cause) {
    throw createFailure(cause instanceof ChildError ? cause.stderr : String(cause));
  }
};

export const kill = (id: string, number: number, context: Context): void => {
  const record = context.records.need(id);
  if (!signal(record.process, number)) throw conflict(`Container ${id} is not running`);
  // With cgroup v1 a frozen process does not die before it is thawed.
  if (number === SIGKILL && context.cgroups.isFrozen(id)) context.cgroups.setFrozen(id, false);
};

const until = async (done: () => boolean | Promise<boolean>, patience = PATIENCE): Promise<boolean> => {
  for (let waited = 0, step = 1; waited < patience; waited += step, step = Math.min(step * 2, 50)) {
    if (await done()) return true;
    await sleep(step);
  }
  return done();
};

/** Whoever is left in the cgroup: the members of a shared pid namespace outlive the first process. */
const killMembers = (id: string, context: Context): void => {
  const found = context.cgroups.members(id).map(identify);
  if (found.length === 0) return;
  // Looked at once more: a number may have become a stranger's before it was identified.
  const still = new Set(context.cgroups.members(id));
  for (const process of found) if (still.has(process.pid)) signal(process, SIGKILL);
};

/** conmon ends after its container, once it has written log and exit file; one that cannot (nobody reads what it has
 * for an attached client, or the disk hangs) must not keep the container from being removed. */
const endProcesses = async (
  id: string,
  record: { readonly process: ProcessIdentity; readonly conmon: ProcessIdentity },
): Promise<void> => {
  const { process, conmon } = record;
  signal(process, SIGKILL);
  if (await until(() => !isAlive(process) && !isAlive(conmon), LAST_WORDS)) return;
  if (!isAlive(process)) signal(conmon, SIGKILL);
  if (await until(() => !isAlive(process) && !isAlive(conmon))) return;
  throw internal(`container ${id}: its processes did not end within ${PATIENCE / 1000} seconds`);
};

/** Kills what is left, then removes cgroups, the OCI runtime's state and the bundle. Safe to repeat. */
export const remove = async (id: string, context: Context): Promise<void> => {
  const { cgroups, layout, records, exits } = context;
  // The bundle is the first thing that a container has, and the last that goes, if nobody else takes it away.
  if (!existsSync(layout.bundle(id)) && !existsSync(cgroups.directory(id, 'pids'))) return;
  const record = records.get(id);
  // One that was never started has no end that anybody waits for.
  const neverStarted = existsSync(fifoOf(id, context));
  if (cgroups.isFrozen(id)) cgroups.setFrozen(id, false);
  // Without a record the OCI runtime has not answered yet.
  if (!record) await endLauncher(id, layout);
  killMembers(id, context);
  if (record) await endProcesses(id, record);
  failpoint('runtime-killed');
  if (neverStarted) exits.clear(id);
  const emptied = () => {
    killMembers(id, context);
    return cgroups.remove(id);
  };
  if (!(await until(emptied))) throw internal(`container ${id}: its cgroup could not be removed`);
  await context.handOver.takeBack(id);
  await releaseSharedMemory(layout, id);
  context.trash.remove(join(layout.states, id));
  records.remove(id);
  failpoint('runtime-removed');
};

/** A container that was created and never started by the former daemon is removed: nothing is known of it. */
export const adopt = (
  id: string,
  context: Context,
): { readonly pid: number } | { readonly exit: Exit } | undefined => {
  const record = context.records.get(id);
  const exit = context.exits.read(id);
  if (exit) return { exit };
  if (!record) return undefined;
  if (isAlive(record.process)) {
    if (!existsSync(fifoOf(id, context))) return { pid: record.process.pid };
    if (isWaiting(id, context)) {
      signal(record.process, SIGKILL);
      return undefined;
    }
    rmSync(fifoOf(id, context), { force: true });
    return { pid: record.process.pid };
  }
  // conmon is about to write how it ended.
  if (isAlive(record.conmon)) return { pid: record.process.pid };
  return { exit: context.exits.lost(id) };
};

/** Those of whom `known` says no. */
export const strays = (
  known: (id: string) => boolean,
  { layout, records }: Context,
): readonly { readonly id: string; readonly pid: number }[] =>
  idsIn(layout)
    .filter((id) => !known(id))
    .map((id) => {
      const record = records.get(id);
      return { id, pid: record && isAlive(record.process) ? record.process.pid : 0 };
    });

/** Its first process still reads the pipe that `start` writes to. */
const isWaiting = (id: string, context: Context): boolean => {
  // runc removes its pipe when it starts the container.
  if (context.machine.runtime.name === 'runc') return true;
  const fd = attempt(() => openSync(fifoOf(id, context), ffi.O.WRONLY | ffi.O.NONBLOCK));
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
};

/** Throws conflict where it does not run. One that is as asked already stays so. */
export const setPaused = (id: string, paused: boolean, context: Context): void => {
  const { process } = context.records.need(id);
  const ended = (cause?: unknown) => conflict(`Container ${id} is not running`, cause);
  if (!isAlive(process)) throw ended();
  try {
    if (context.cgroups.isFrozen(id) !== paused) context.cgroups.setFrozen(id, paused);
  } catch (cause) {
    throw isAlive(process) ? cause : ended(cause); // its cgroup went with it
  }
};

/** The log, and what an interrupted removal may have left. */
export const forget = async (id: string, context: Context): Promise<void> => {
  await releaseSharedMemory(context.layout, id);
  context.records.remove(id);
  context.exits.clear(id);
  context.trash.remove(context.layout.logs(id));
};

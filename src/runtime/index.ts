/** The container runtime: conmon + crun (runc as fallback) behind `Runtime`. */
import { dirname } from 'node:path';
import { archivePath, archiveRoot } from '../files/archive.js';
import { extractTar } from '../files/extract.js';
import { statPath } from '../files/path-stat.js';
import { isAlive } from '../kernel/processes.js';
import { createTrash, type Trash } from '../kernel/trash.js';
import { AttachHub } from './attach.js';
import { usageOf } from './cgroup-usage.js';
import { cgroupsOf } from './cgroups.js';
import { type Context, LIMITS, type Limits, recordsOf } from './context.js';
import type { Runtime, Streams } from './contract.js';
import { exec } from './exec.js';
import { exitsOf } from './exits.js';
import { createHandOver } from './hand-over.js';
import { type Layout, layoutOf, makeLayout } from './layout.js';
import * as lifecycle from './lifecycle.js';
import { readLog } from './logs/read.js';
import { lookUpUser } from './lookup.js';
import { inspectMachine } from './machine.js';
import { migrationWarmer } from './migration.js';
import { keepText, keptText } from './record.js';
import { resizeContainer } from './resize.js';
import { seccompCache } from './seccomp-cache.js';
import { top } from './top.js';
import { update } from './update.js';

export interface RuntimeOptions {
  /** volatile, on a tmpfs; e.g. `/run/viaduct/containers` */
  readonly stateDir: string;
  /** the directory of a container's log, in the data root */
  readonly logDir: (id: string) => string;
  readonly logger?: Context['logger'];
  /** default: crun where it is installed, else runc */
  readonly runtime?: 'crun' | 'runc';
  /** default: LIMITS */
  readonly limits?: Limits;
}

const silent: Context['logger'] = { warn: () => {} };

/** With what a crash of a former daemon left. */
const trashOf = (stateDir: string, layout: Layout): Trash => {
  const trash = createTrash();
  trash.sweep(stateDir);
  trash.sweep(layout.states);
  trash.sweep(dirname(layout.logs('any')));
  return trash;
};

const contextOf = async (options: RuntimeOptions): Promise<Context> => {
  const layout = layoutOf(options.stateDir, options.logDir);
  makeLayout(layout);
  const machine = await inspectMachine(options.runtime);
  const cgroups = cgroupsOf(machine.facts.cgroup.version);
  const trash = trashOf(options.stateDir, layout);
  const records = recordsOf(layout, trash);
  const isGone = (id: string): boolean => {
    const record = records.get(id);
    return !record || !(isAlive(record.process) || isAlive(record.conmon));
  };
  const exits = exitsOf(layout, (id) => cgroups.oomKills(id) > 0, isGone);
  exits.open();
  const seccomp = seccompCache(layout, machine.runtime);
  const logger = options.logger ?? silent;
  // conmon has the socket for a terminal in /tmp, which may be a mount of its own (Debian 13's is).
  const needed = [options.stateDir, options.logDir('any'), machine.runtime.path, '/tmp'];
  const handOver = createHandOver(machine, layout.hand, needed, logger);
  await handOver.sweep();
  return {
    limits: options.limits ?? LIMITS,
    layout,
    machine,
    cgroups,
    records,
    exits,
    seccomp,
    logger,
    handOver,
    migration: migrationWarmer(cgroups.version),
    trash,
  };
};

/** Streams of all clients of a container over one connection to its conmon. */
const attachments = (need: () => Context) => {
  const hubs = new Map<string, AttachHub>();
  return {
    join: (id: string): Streams => {
      const { layout, records } = need();
      const { tty, stdin, stdinOnce, process } = records.need(id);
      const known = hubs.get(id);
      if (known?.open) return known.join();
      const target = { bundle: layout.bundle(id), tty, stdin, stdinOnce, isAlive: () => isAlive(process) };
      const hub = new AttachHub(target, () => {
        if (hubs.get(id) === hub) hubs.delete(id);
      });
      hubs.set(id, hub);
      return hub.join();
    },
    handedOver: async (id: string): Promise<void> => hubs.get(id)?.handedOver(),
    closeAll: () => {
      for (const hub of hubs.values()) hub.close();
    },
  };
};

export const createRuntime = (options: RuntimeOptions): Runtime => {
  let context: Context | undefined;
  const need = (): Context => {
    if (!context) throw new Error('the runtime was not opened');
    return context;
  };
  const clients = attachments(need);
  const isRunning = (id: string): boolean => {
    const record = need().records.get(id);
    return record !== undefined && need().exits.read(id) === undefined && isAlive(record.process);
  };

  return {
    open: async () => {
      context = await contextOf(options);
    },
    close: async () => {
      clients.closeAll();
      await context?.handOver.close();
      context?.exits.close();
      context?.migration.close();
      context?.cgroups.removeEmpty();
      await context?.trash.close();
    },
    get name() {
      return need().machine.runtime.name;
    },
    get version() {
      return need().machine.runtime.version;
    },
    foresee: () => {
      need().migration.warm();
      need().handOver.warm();
    },
    prepare: (request) => lifecycle.prepare(request, need()),
    create: (request, givenUp) => lifecycle.create(request, need(), givenUp),
    start: (id) => lifecycle.start(id, need()),
    attach: clients.join,
    resize: (id, size) => resizeContainer(id, need().layout.bundle(id), size),
    kill: async (id, signal) => lifecycle.kill(id, signal, need()),
    pause: async (id) => lifecycle.setPaused(id, true, need()),
    resume: async (id) => lifecycle.setPaused(id, false, need()),
    isPaused: (id) => need().cgroups.isFrozen(id),
    onExit: (id, callback) => void need().exits.onExit(id, callback),
    delete: async (id) => {
      await lifecycle.remove(id, need());
      await clients.handedOver(id);
    },
    adopt: (id) => lifecycle.adopt(id, need()),
    strays: (known) => lifecycle.strays(known, need()),
    keep: (id, text) => keepText(need().layout, id, text),
    kept: (id) => keptText(need().layout, id),
    exec: (request, container) => exec(request, container, need()),
    logs: (id, request) =>
      readLog(need().layout.log(id), request, {
        isRunning: () => isRunning(id),
        onEnd: (callback) => need().exits.onExit(id, callback),
      }),
    forget: (id) => lifecycle.forget(id, need()),
    usage: (id) => usageOf(need().cgroups, id),
    top: (id, psArgs) => top(psArgs, need().cgroups.members(id)),
    archive: archivePath,
    export: archiveRoot,
    stat: statPath,
    user: (root, user) => lookUpUser(root, user, []),
    extract: extractTar,
    update: (id, hostConfig) => update(id, hostConfig, need()),
  };
};

/** Execs: made, started once, kept for `inspect` until their container ends. In memory only, as Docker's. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid, notFound } from '../../errors.js';
import type { Container } from '../../model/container.js';
import { type RunningExec, StartError } from '../../runtime/contract.js';
import type { ExecCommands, ExecInstance } from '../contract.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { containerEvent, isRunning } from './state.js';

/** Ended execs are kept so that clients can read the exit code, but not for ever. */
const MAX_ENDED = 1024;

/** Its process is there, or was: what hangs before that is ended by the runtime. */
const begun = async (live: RunningExec): Promise<void> => {
  let over = false;
  void live.exited.then(() => {
    over = true;
  });
  while (live.pid === 0 && !over) await sleep(2);
};

type Entry = { -readonly [K in keyof ExecInstance]: ExecInstance[K] } & { live?: RunningExec };

type Executing = Pick<View, 'model'> & Pick<Writing, 'events'> & Pick<Outside, 'kernel' | 'runtime'>;

export const createExecCommands = (parts: Executing): ExecCommands => {
  const entries = new Map<string, Entry>();

  const entry = (id: string): Entry => {
    const found = entries.get(id);
    // It goes with its container, as Docker's.
    if (found && !parts.model.containers.has(found.containerId)) entries.delete(id);
    if (!entries.has(id) || !found) throw notFound(`No such exec instance: ${id.slice(0, 64)}`);
    return found;
  };

  const forgetOldest = (): void => {
    if (entries.size <= MAX_ENDED) return;
    for (const [id, e] of entries) {
      if (e.exitCode !== null || !parts.model.containers.has(e.containerId)) entries.delete(id);
      if (entries.size <= MAX_ENDED) return;
    }
  };

  const ended = (e: Entry, exitCode: number): void => {
    e.running = false;
    e.exitCode = exitCode;
    e.pid = e.live?.pid ?? 0;
    delete e.live;
    const container = parts.model.containers.get(e.containerId);
    if (container) containerEvent(parts, container, 'exec_die', { execID: e.id, exitCode: String(exitCode) });
  };

  const run = async (
    e: Entry,
    container: Container,
    options: Parameters<ExecCommands['start']>[1],
  ): Promise<RunningExec> => {
    try {
      // A disconnect just answered may still be taking an interface out of this container.
      const namespace = parts.model.sandboxOf(container)?.netns;
      if (namespace) await parts.kernel.settled(namespace);
      const request = {
        ...e.request,
        ...(options.detach ? { attachStdin: false } : {}),
        ...(options.size ? { size: options.size } : {}),
      };
      const live = await parts.runtime.exec(request, container);
      e.live = live;
      void live.exited.then((exitCode) => ended(e, exitCode));
      // Who attaches waits for the process anyway; who does not asks for its pid at once.
      if (options.detach) await begun(live);
      containerEvent(parts, container, `exec_start: ${e.request.command.join(' ').slice(0, 1024)}`, {
        execID: e.id,
      });
      return live;
    } catch (error) {
      ended(e, error instanceof StartError ? error.exitCode : 126);
      throw error;
    }
  };

  const runningContainer = (reference: string): Container => {
    const container = parts.model.getContainer(reference);
    if (container.state.status === 'paused')
      throw conflict(`container ${container.id} is paused, unpause the container before exec`);
    if (!isRunning(container)) throw conflict(`container ${container.id} is not running`);
    return container;
  };

  return {
    create(reference, request) {
      const container = runningContainer(reference);
      if (request.command.length === 0) throw invalid('No exec command specified');
      const id = randomBytes(32).toString('hex');
      const full = { ...request, containerId: container.id };
      entries.set(id, {
        id,
        containerId: container.id,
        request: full,
        running: false,
        pid: 0,
        exitCode: null,
      });
      containerEvent(parts, container, `exec_create: ${request.command.join(' ').slice(0, 1024)}`, {
        execID: id,
      });
      forgetOldest();
      return { id };
    },
    start(id, options) {
      const e = entry(id);
      if (e.running) throw conflict(`exec ${id} is already running`);
      if (e.exitCode !== null) throw conflict(`exec ${id} has already run`);
      const container = runningContainer(e.containerId);
      e.running = true;
      return { running: run(e, container, options) };
    },
    resize(id, size) {
      const e = entry(id);
      if (!e.live) throw conflict(`exec ${id} is not running`);
      e.live.resize(size);
    },
    get(id) {
      const { live, ...instance } = entry(id);
      return live ? { ...instance, pid: live.pid } : instance;
    },
    ofContainer: (containerId) =>
      [...entries.values()].filter((e) => e.containerId === containerId && e.running).map((e) => e.id),
  };
};

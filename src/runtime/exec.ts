/** Further processes in a running container, by `crun exec`: with pipes, or with a terminal of their own. */

import { randomBytes } from 'node:crypto';
import { closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { conflict, internal, invalid, notImplemented } from '../errors.js';
import { inputPipe, outputPipe, startChild } from '../kernel/child.js';
import { identify, isAlive } from '../kernel/processes.js';
import type { Container } from '../model/container.js';
import { textOrNone } from '../small-files.js';
import type { Context } from './context.js';
import type { ExecRequest, RunningExec, Streams } from './contract.js';
import { missingDirectory, missingExecutable } from './executable.js';
import { lookUpUser } from './lookup.js';
import { execProcess, specText } from './spec/config.js';
import type { OciProcess } from './spec/oci.js';
import { consoleSocket, openTerminal } from './terminal.js';

const DEFAULT_TERM = 'TERM=xterm';

/** Docker gives an exec the container's user unless it names one. */
const processOf = (
  request: ExecRequest,
  container: Container,
  context: Context,
  root: string,
): OciProcess => {
  // Written by `create` from an OciProcess.
  const base = JSON.parse(
    readFileSync(join(context.layout.bundle(container.id), 'process.json'), 'utf8'),
  ) as OciProcess;
  const user = request.user
    ? lookUpUser(root, request.user, container.hostConfig.GroupAdd ?? [])
    : { ...base.user, home: '' };
  // TERM is what this process has a terminal for, or what the user gave the container.
  const given = request.tty || container.config.Env.includes(DEFAULT_TERM);
  const env = given ? base.env : base.env.filter((entry) => entry !== DEFAULT_TERM);
  return execProcess({ ...base, env }, request, user, context.machine.facts.capabilities);
};

interface Files {
  readonly process: string;
  readonly pid: string;
  remove(): void;
}

const writeFiles = (bundle: string, process: OciProcess): Files => {
  const name = join(bundle, `exec-${randomBytes(8).toString('hex')}`);
  const files = [`${name}.json`, `${name}.pid`] as const;
  writeFileSync(files[0], specText(process), { mode: 0o600 });
  return {
    process: files[0],
    pid: files[1],
    remove: () => {
      for (const file of files) rmSync(file, { force: true });
    },
  };
};

interface Started {
  readonly exited: Promise<number>;
  readonly pid: () => number;
  readonly end: () => void;
}

const start = async (
  context: Context,
  containerId: string,
  args: readonly string[],
  fds: readonly (number | null)[],
  files: Files,
): Promise<Started> => {
  const { runtime } = context.machine;
  const manager = runtime.name === 'crun' ? ['--cgroup-manager=cgroupfs'] : [];
  const child = await startChild({
    path: runtime.path,
    args: [`--root=${context.layout.states}`, ...manager, 'exec', ...args, containerId],
    cwd: '/',
    fds,
  });
  let pid = 0;
  const look = (): number => {
    pid ||= Number(textOrNone(files.pid));
    return pid;
  };
  // Its number counts while it is in the container: later it may be a stranger's.
  const end = () => {
    const members = () => context.cgroups.members(containerId);
    const first = identify(look());
    child.end(members, members().includes(first.pid) ? [first] : []);
  };
  const late = setTimeout(() => look() > 0 || end(), context.limits.create).unref();
  const exited = child.exited.then((code) => {
    clearTimeout(late);
    look();
    files.remove();
    return code;
  });
  return { exited, pid: look, end };
};

const withPipes = async (request: ExecRequest, context: Context, files: Files): Promise<RunningExec> => {
  const input = request.attachStdin ? inputPipe() : null;
  const out = request.attachStdout ? outputPipe() : null;
  const err = request.attachStderr ? outputPipe() : null;
  const stdio = [input, out, err].map((pipe) => pipe?.child ?? null);
  const { exited, pid, end } = await start(
    context,
    request.containerId,
    [`--process=${files.process}`, `--pid-file=${files.pid}`],
    stdio,
    files,
  );
  const streams: Streams = {
    stdin: input?.own ?? null,
    stdout: out?.own ?? emptyOutput(),
    stderr: err?.own ?? null,
    // Read on, or the process would be stopped by a full pipe.
    detach: () => {
      for (const pipe of [out, err]) pipe?.own.removeAllListeners('data').resume();
    },
  };
  return {
    get pid() {
      return pid();
    },
    streams,
    exited,
    resize: () => {},
    end,
  };
};

const emptyOutput = (): Readable => {
  const { child, own } = outputPipe();
  closeSync(child);
  return own;
};

const withTerminal = async (request: ExecRequest, context: Context, files: Files): Promise<RunningExec> => {
  const console = await consoleSocket(context.layout.consoles);
  const { exited, pid, end } = await start(
    context,
    request.containerId,
    ['--tty', `--console-socket=${console.path}`, `--process=${files.process}`, `--pid-file=${files.pid}`],
    [null, null, null],
    files,
  );
  const master = await Promise.race([
    console.received,
    // A short command may be over before we have seen that its terminal came.
    exited.then(async (code) => {
      if (await console.hasCome()) return console.received;
      console.close();
      throw internal(`the OCI runtime ended (${code}) before it opened a terminal`);
    }),
  ]);
  const terminal = openTerminal(master);
  if (request.size) terminal.resize(request.size);
  return {
    get pid() {
      return pid();
    },
    streams: {
      stdin: request.attachStdin ? terminal.input : null,
      stdout: terminal.output,
      stderr: null,
      detach: () => void terminal.output.destroy(),
    },
    exited,
    resize: terminal.resize,
    end,
  };
};

/** Throws invalid where there is no such command or user; conflict where the container does not run or is paused. */
export const exec = async (
  request: ExecRequest,
  container: Container,
  context: Context,
): Promise<RunningExec> => {
  const record = context.records.need(request.containerId);
  if (!isAlive(record.process)) throw conflict(`Container ${request.containerId} is not running`);
  if (context.cgroups.isFrozen(request.containerId))
    throw conflict(`Container ${request.containerId} is paused, unpause the container before exec`);
  const [command] = request.command;
  if (command === undefined) throw invalid('No exec command specified');
  const root = `/proc/${record.process.pid}/root`;
  const process = processOf(request, container, context, root);
  const nowhere = missingDirectory(root, process.cwd);
  if (nowhere) throw nowhere;
  const missing = missingExecutable(root, command, process.env, process.cwd);
  if (missing) throw missing;
  // runc gives its terminal away only when it detaches, and then nobody learns the exit code.
  if (request.tty && context.machine.runtime.name === 'runc')
    throw notImplemented('exec with a terminal needs crun: apt-get install crun');
  const files = writeFiles(context.layout.bundle(request.containerId), process);
  return request.tty ? withTerminal(request, context, files) : withPipes(request, context, files);
};

/**
 * Starting conmon, which creates the container through the OCI runtime, keeps its streams, writes its log and reports
 * its exit. conmon detaches itself; we learn the pid, or the runtime's refusal, over the pipe named in _OCI_SYNCPIPE.
 */

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import * as z from 'zod';
import { attempt, conflict, internal } from '../errors.js';
import { reaped, startTalking } from '../kernel/child.js';
import { identify, type ProcessIdentity, SIGKILL, signalFamily } from '../kernel/processes.js';
import type { HostConfig } from '../model/container.js';
import type { Context } from './context.js';
import { createFailure } from './failure.js';
import { createGate } from './gate.js';
import type { Layout } from './layout.js';
import type { Machine } from './machine.js';
import { entering } from './short-namespace.js';

/**
 * Where cgroup2 is mounted beside v1 with controllers of its own, crun gives up. It is made to run in a mount
 * namespace that does not have that mount; conmon stays outside, or it would pin every mount of the host.
 */
const WITHOUT_UNIFIED = 'umount -l /sys/fs/cgroup/unified && exec "$0" "$@"';

/** Program and first arguments as conmon is to call them. */
const runtimeCommand = (
  machine: Machine,
  layout: Layout,
  namespace: string | undefined,
): readonly [string, readonly string[]] => {
  const own = [`--root=${layout.states}`];
  if (machine.runtime.name === 'runc') return [machine.runtime.path, own];
  const crun = [...own, '--cgroup-manager=cgroupfs'];
  if (namespace !== undefined) {
    const [program, ...first] = entering(machine, namespace);
    return [program, [...first, machine.runtime.path, ...crun]];
  }
  if (!machine.hideUnified) return [machine.runtime.path, crun];
  const script = ['-c', WITHOUT_UNIFIED, machine.runtime.path, ...crun];
  const { busybox } = machine;
  return busybox
    ? [busybox, ['unshare', '-m', busybox, 'sh', ...script]]
    : ['/usr/bin/unshare', ['-m', '/bin/sh', ...script]];
};

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const sizeOf = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmg]?)b?$/i.exec(text.trim());
  return match ? Math.trunc(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1)) : undefined;
};

/**
 * conmon keeps one file and starts it anew when it is full, so it gets the size that Docker's `max-file` files would
 * have together. `none` keeps no log.
 */
export const logArguments = (log: string, config: HostConfig['LogConfig']): readonly string[] => {
  if (config?.Type === 'none') return ['--log-path=none'];
  const size = sizeOf(config?.Config['max-size'] ?? '');
  const files = Number(config?.Config['max-file'] ?? '1') || 1;
  return [`--log-path=k8s-file:${log}`, ...(size ? [`--log-size-max=${size * files}`] : [])];
};

interface ConmonRequest {
  readonly id: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** a client's end of input never closes the container's stdin */
  readonly keepStdin: boolean;
  readonly logging: readonly string[];
  /** where the OCI runtime is to work (`short-namespace.ts`); undefined: in a copy of ours */
  readonly namespace?: string | undefined;
}

const conmonArguments = (request: ConmonRequest, layout: Layout, machine: Machine): readonly string[] => {
  const bundle = layout.bundle(request.id);
  const [program, first] = runtimeCommand(machine, layout, request.namespace);
  return [
    '--api-version=1',
    `--cid=${request.id}`,
    `--cuuid=${request.id}`,
    `--name=${request.id}`,
    `--runtime=${program}`,
    ...first.map((argument) => `--runtime-arg=${argument}`),
    `--bundle=${bundle}`,
    `--container-pidfile=${join(bundle, 'pid')}`,
    `--conmon-pidfile=${join(bundle, 'conmon.pid')}`,
    `--persist-dir=${bundle}`,
    `--exit-dir=${layout.exits}`,
    '--full-attach',
    '--no-sync-log',
    '--log-level=error',
    ...request.logging,
    ...(request.stdin ? ['--stdin'] : []),
    ...(request.tty ? ['--terminal'] : []),
    ...(request.keepStdin ? ['--leave-stdin-open'] : []),
  ];
};

const answer = z.object({ data: z.number().int(), message: z.string().optional() });

/** First line of the pipe; empty where conmon ended without one. */
const firstLine = (pipe: Readable): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const done = () => {
      pipe.destroy();
      resolve(text);
    };
    pipe.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) done();
    });
    pipe.on('end', done).on('error', done);
  });

/** conmon proper, which its starter has forked off; undefined while it has not told its pid, or where that is a stranger's. */
const launcherOf = (id: string, layout: Layout): ProcessIdentity | undefined =>
  attempt(() => {
    const conmon = identify(Number(readFileSync(join(layout.bundle(id), 'conmon.pid'), 'latin1')));
    const ours = readFileSync(`/proc/${conmon.pid}/cmdline`, 'latin1').includes(`--cid=${id}\0`);
    return ours ? conmon : undefined;
  });

/** Ends a conmon whose container is still being made, the OCI runtime and all that it started. */
export const endLauncher = async (id: string, layout: Layout): Promise<void> => {
  const conmon = launcherOf(id, layout);
  if (conmon) await signalFamily([conmon], SIGKILL);
};

/** The first of: conmon's answer, the end of our patience, somebody's wish that it be given up. */
const answered = async (talk: Socket, limit: number, givenUp: AbortSignal | undefined): Promise<string> => {
  let late: NodeJS.Timeout | undefined;
  let abort = (): void => {};
  const ends = new Promise<never>((_, reject) => {
    late = setTimeout(() => {
      const words = `the OCI runtime did not make the container within ${limit / 1000} seconds: it was ended`;
      reject(internal(words));
    }, limit);
    abort = () => reject(conflict('the start was given up: the container is being removed'));
    if (givenUp?.aborted) abort();
    else givenUp?.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([firstLine(talk), ends]);
  } finally {
    clearTimeout(late);
    givenUp?.removeEventListener('abort', abort);
    talk.destroy();
  }
};

/**
 * Resolves to the container's pid. Throws a StartError (invalid) in the OCI runtime's words, internal where it does not
 * come back in time, conflict where it was given up; nobody is at work on the container then.
 */
const launchNow = async (
  request: ConmonRequest,
  { layout, machine, limits }: Pick<Context, 'layout' | 'machine' | 'limits'>,
  givenUp?: AbortSignal,
): Promise<number> => {
  const { pid, talk } = await startTalking({
    path: machine.conmon,
    args: conmonArguments(request, layout, machine),
    cwd: layout.bundle(request.id),
    env: ['_OCI_SYNCPIPE=3'],
    fds: [null, null, null],
  });
  const starter = identify(pid);
  const text = await answered(talk, limits.create, givenUp)
    .catch(async (error: unknown) => {
      await signalFamily([starter], SIGKILL);
      await endLauncher(request.id, layout);
      throw error;
    })
    // What we started has forked conmon proper, whose pid it writes down when that may have answered already, and ends; or was ended.
    .finally(() => reaped(pid));
  if (text === '') throw internal('conmon ended before it had created the container');
  const { data, message } = answer.parse(JSON.parse(text));
  if (data > 0) return data;
  throw createFailure(message ?? '');
};

/** By as many at a time as there are processors. */
const someAtATime = createGate(availableParallelism());

export const launch: typeof launchNow = (request, context, givenUp) =>
  someAtATime(() => launchNow(request, context, givenUp), givenUp);

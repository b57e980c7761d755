/**
 * Secrets and configs of a task as files, each mounted where its container wants it. They are in a tmpfs of the task's own below the
 * exec root, made before the container and gone when the task has ended. What is in them is nowhere else on this host but in the
 * daemon's memory: the container's record says only where they are.
 *
 *   <exec root>/task-files/<task>/<n>      not below what a node takes away when it leaves: that does not wait for an end
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { EINVAL, failedWith } from '../../errno.js';
import { invalid, notImplemented, unavailable } from '../../errors.js';
import * as ffi from '../../kernel/ffi.js';
import type { FileReference } from '../../model/swarm/service.js';
import { expand, payloadFunctions, type TaskFacts } from '../../template/index.js';
import type { AssignedItem } from '../session/assigned.js';

export interface TaskFile {
  /** absolute, in the container */
  readonly destination: string;
  readonly uid: number;
  readonly gid: number;
  /** permission bits */
  readonly mode: number;
  readonly data: Buffer;
}

/** Where a name that is no path is below, as in Docker. */
const BELOW = { secret: '/run/secrets', config: '/' } as const;

type Kind = keyof typeof BELOW;
type Found = (key: string) => AssignedItem | undefined;

/** Docker knows numbers only: the image's names are nobody's on this host. */
const idOf = (text: string, what: string): number => {
  if (!/^[0-9]{0,10}$/.test(text) || Number(text) >= 2 ** 32 - 1)
    throw invalid(`${what}: ${text.slice(0, 100)} is no number of a user or a group`);
  return Number(text);
};

const fileOf = (
  kind: Kind,
  { id, name, file }: FileReference,
  found: Found,
  fill: (text: string) => string,
): TaskFile => {
  const what = `${kind} ${name}`;
  if (!file) throw notImplemented(`${what} is for the runtime, not a file: only Windows has such`);
  const item = found(`${kind}/${id}`);
  if (item?.kind !== kind) throw unavailable(`${what} is not known to this node`);
  return {
    destination: posix.isAbsolute(file.name) ? file.name : posix.join(BELOW[kind], file.name),
    uid: idOf(file.uid, what),
    gid: idOf(file.gid, what),
    mode: file.mode & 0o777,
    data: item.template ? filled(what, item.data, fill) : Buffer.from(item.data, 'base64'),
  };
};

const filled = (what: string, data: string, fill: (text: string) => string): Buffer => {
  try {
    return Buffer.from(fill(Buffer.from(data, 'base64').toString('utf8')));
  } catch (error) {
    throw invalid(
      `expanding ${what} failed: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
};

interface Files {
  readonly secrets: readonly FileReference[];
  readonly configs: readonly FileReference[];
}

/** `secret "x"` and `config "x"` of templates name the file that the task has; what is in it is not filled in, so none is endless. */
const contentOf = (
  kind: Kind,
  references: readonly FileReference[],
  found: Found,
  target: string,
): string => {
  const reference = references.find(({ file }) => file?.name === target);
  const item = reference && found(`${kind}/${reference.id}`);
  if (item?.kind !== kind) throw new Error(`${kind} target ${target} not found`);
  return Buffer.from(item.data, 'base64').toString('utf8');
};

/** Of a variable that the service does not say there is nothing, as in swarmkit. */
const variable = (env: readonly string[], name: string): string =>
  env.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';

/** `found`: items by key; `env`: of the container, filled in. Throws ViaductError, in words for the task's `Err`. */
export const filesOf = (
  { secrets, configs }: Files,
  found: Found,
  of: { readonly facts: TaskFacts; readonly env: readonly string[] },
): readonly TaskFile[] => {
  const functions = payloadFunctions({
    secret: (target) => contentOf('secret', secrets, found, target),
    config: (target) => contentOf('config', configs, found, target),
    env: (name) => variable(of.env, name),
  });
  const fill = (text: string): string => expand(text, of.facts, functions);
  return [
    ...secrets.map((reference) => fileOf('secret', reference, found, fill)),
    ...configs.map((reference) => fileOf('config', reference, found, fill)),
  ];
};

const write = async (path: string, { uid, gid, mode, data }: TaskFile): Promise<void> => {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(data);
    await file.chown(uid, gid);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
};

/** An entry of `HostConfig.Mounts`. */
export interface FileMount {
  readonly Type: 'bind';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: true;
}

export interface TaskFiles {
  /** Answers what the container is to mount. Where it throws nothing is left. */
  lay(taskId: string, files: readonly TaskFile[]): Promise<readonly FileMount[]>;
  has(taskId: string): boolean;
  /** A container that runs keeps what it has mounted. */
  clear(taskId: string): Promise<void>;
  /** What a daemon left that was killed. */
  sweep(isWanted: (taskId: string) => boolean): Promise<void>;
}

/** `parent`: a directory, made where there is none. */
export const createTaskFiles = (parent: string): TaskFiles => {
  /** Ids come from managers: what is none leads to no path. */
  const directoryOf = (taskId: string): string => {
    if (!/^[0-9a-z]{1,64}$/.test(taskId)) throw invalid(`${taskId.slice(0, 100)} is no id of a task`);
    return join(parent, taskId);
  };

  const clear = async (taskId: string): Promise<void> => {
    const directory = directoryOf(taskId);
    if (!existsSync(directory)) return;
    await ffi.umountLater(directory).catch((error: unknown) => {
      if (!failedWith(error, EINVAL)) throw error; // nothing is mounted there
    });
    rmdirSync(directory);
  };

  return {
    clear,
    has: (taskId) => existsSync(directoryOf(taskId)),
    async lay(taskId, files) {
      if (files.length === 0) return [];
      await clear(taskId);
      const directory = directoryOf(taskId);
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        const flags = ffi.MS.NOSUID | ffi.MS.NODEV | ffi.MS.NOEXEC;
        await ffi.mountLater('tmpfs', directory, 'tmpfs', flags, 'mode=0700');
        await ffi.mountLater('', directory, '', ffi.MS.PRIVATE, '');
        for (const [n, file] of files.entries()) await write(join(directory, String(n)), file);
      } catch (error) {
        await clear(taskId);
        throw error;
      }
      return files.map(({ destination }, n) => ({
        Type: 'bind',
        Source: join(directory, String(n)),
        Target: destination,
        ReadOnly: true,
      }));
    },
    async sweep(isWanted) {
      if (!existsSync(parent)) return;
      for (const taskId of readdirSync(parent)) if (!isWanted(taskId)) await clear(taskId);
    },
  };
};

/**
 * Is there such a program in the container, and such a directory to run it in? Asked before an exec, because crun's own
 * refusal comes over the exec's standard error and cannot be told from the output of a command.
 */

import { statSync } from 'node:fs';
import { posix } from 'node:path';
import { attempt } from '../errors.js';
import { execFailure, type StartError } from './failure.js';
import { descriptorPath, withInside } from './inside.js';

const look = (root: string, path: string): 'runs' | 'permission denied' | 'is a directory' | undefined =>
  attempt(() =>
    withInside(root, path, {}, (fd) => {
      const stat = statSync(descriptorPath(fd));
      if (stat.isDirectory()) return 'is a directory';
      return stat.mode & 0o111 ? 'runs' : 'permission denied';
    }),
  );

/** Undefined where it can be run. `root`: as the container's processes see it. */
export const missingExecutable = (
  root: string,
  command: string,
  env: readonly string[],
  cwd: string,
): StartError | undefined => {
  if (command.includes('/')) {
    const found = look(root, posix.resolve(cwd, command));
    if (found === 'runs') return undefined;
    return execFailure(`exec: "${command}": ${found ?? `stat ${command}: no such file or directory`}`);
  }
  const directories =
    env
      .find((entry) => entry.startsWith('PATH='))
      ?.slice(5)
      .split(':') ?? [];
  const found = directories.map((directory) => look(root, posix.resolve(cwd, directory, command)));
  if (command !== '' && found.includes('runs')) return undefined;
  const why = found.includes('permission denied')
    ? 'permission denied'
    : 'executable file not found in $PATH';
  return execFailure(`exec: "${command}": ${why}`);
};

/** Undefined where it can be entered, in runc's words where not. `root`: as above. */
export const missingDirectory = (root: string, path: string): StartError | undefined => {
  const found = look(root, path);
  if (found === 'is a directory') return undefined;
  const why = found === undefined ? 'no such file or directory' : 'not a directory';
  return execFailure(`chdir to cwd ("${path}") set in config.json failed: ${why}`);
};

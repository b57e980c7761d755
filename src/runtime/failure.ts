/** What an OCI runtime says when it refuses a container or an exec, typed, with the exit code Docker gives it. */
import { attempt, ViaductError } from '../errors.js';

/** 127: no such command; 126: not allowed to run it; 128: anything else that kept the process from starting. */
export type StartExitCode = 126 | 127 | 128;

export class StartError extends ViaductError {
  override readonly name = 'StartError';
  constructor(
    message: string,
    readonly exitCode: StartExitCode,
    options?: { cause?: unknown },
  ) {
    super('invalid', message, options);
  }
}

const NOT_FOUND = /executable file .*not found|exec.*no such file or directory/i;
const NOT_ALLOWED = /exec.*(permission denied|is a directory|operation not permitted)|^chdir to cwd/i;

const exitCodeOf = (text: string): StartExitCode =>
  NOT_FOUND.test(text) ? 127 : NOT_ALLOWED.test(text) ? 126 : 128;

/** Go's quoting is JSON's for what an error message holds; what is not stays as it is. */
const quotedText = (quoted: string): string =>
  attempt(() => String(JSON.parse(quoted))) ?? quoted.slice(1, -1);

/** The runtime's own words without its name, time stamp and the lines of its parents. */
const reason = (text: string): string => {
  // runc: time="…" level=error msg="runc create failed: …"
  const quoted = /level=error msg=("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (quoted) return quotedText(quoted).replace(/^runc (create|exec) failed: /, '');
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const last = lines.findLast((line) => /error|crun|runc|:/.test(line)) ?? lines.at(-1) ?? 'unknown failure';
  return (
    last
      .replace(/^\S+Z?:?\s+(?=crun: )/, '')
      .replace(/^(crun|runc)( (create|exec) failed)?: /, '')
      // the client gives 126 for these words of runc's and no others; crun says EPERM for a directory
      .replace(
        /^open executable: (?:Permission denied|Operation not permitted|Is a directory)$/,
        'exec: open executable: permission denied',
      )
      // crun since 1.15 (Debian 13 has 1.21)
      .replace(/^the path `([^`]*)` is not a regular file: .*$/, 'exec: "$1": is a directory')
      .replace(/^the path `([^`]*)` exists but it is not executable: .*$/, 'exec: "$1": permission denied')
      // a path is not looked for in $PATH
      .replace(
        /^executable file `([^`]*\/[^`]*)` not found.*$/,
        'exec: "$1": stat $1: no such file or directory',
      )
      .replace(/executable file `([^`]*)`/, 'exec: "$1": executable file')
      .replace(/(executable file not found.*): No such file or directory$/, '$1')
  );
};

/** `text`: standard error of crun or runc. */
export const createFailure = (text: string): StartError => {
  const why = reason(text);
  return new StartError(
    `failed to create task for container: failed to create shim task: OCI runtime create failed: ${why}: unknown`,
    exitCodeOf(why),
  );
};

export const execFailure = (text: string): StartError => {
  const why = reason(text);
  return new StartError(`OCI runtime exec failed: exec failed: ${why}: unknown`, exitCodeOf(why));
};

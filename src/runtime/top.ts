/** `docker top`: the host's `ps`, reduced to the container's processes. */

import { internal, invalid, ViaductError } from '../errors.js';
import { ANSWER_LIMIT, ChildError, runProgram } from '../kernel/program.js';
import type { Top } from './contract.js';

/** A column renamed to PID would make us filter by another number. */
const refuseRenaming = (argument: string): void => {
  if (/(^|[\s,])[^\s,]*=\s*"?PID/i.test(argument)) throw invalid(`specifying "${argument}" is not allowed`);
};

/** Rows of `ps` whose PID column names a member. The last column takes all that follows. */
export const selectProcesses = (output: string, members: ReadonlySet<number>): Top => {
  const [head = '', ...rows] = output.split('\n').filter((row) => row.trim() !== '');
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf('PID');
  if (column < 0) throw invalid("Couldn't find PID field in ps output");
  const processes = rows
    .map((row) => {
      const fields = row.trim().split(/\s+/);
      return [...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')];
    })
    .filter((fields) => members.has(Number(fields[column])));
  return { titles, processes };
};

/** `psArgs`: as the user wrote them; empty: `-ef`. Throws invalid where ps refuses them. */
export const top = async (psArgs: string, members: readonly number[]): Promise<Top> => {
  const given = psArgs.trim() === '' ? ['-ef'] : psArgs.trim().split(/\s+/);
  refuseRenaming(psArgs);
  try {
    const output = await runProgram({ command: 'ps', args: given, limit: ANSWER_LIMIT });
    return selectProcesses(output.toString(), new Set(members));
  } catch (cause) {
    if (cause instanceof ChildError && cause.stderr !== '')
      throw invalid(`ps: ${cause.stderr.split('\n', 1)[0]}`, cause);
    if (cause instanceof ViaductError && cause.kind === 'unavailable')
      throw internal('ps is not installed: apt-get install procps', cause);
    throw cause;
  }
};

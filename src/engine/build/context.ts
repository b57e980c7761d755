/** A build's context: the client's tar laid out in a directory, and the Dockerfile found in it. */

import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { isIgnored, parseIgnore } from '../../builder/ignore.js';
import { invalid, messageOf, ViaductError } from '../../errors.js';
import { extractTar } from '../../files/extract.js';
import { removePlace, textAt } from '../../files/tree.js';
import { plainView } from '../../files/view.js';

/** Throws invalid for what is no tar. */
export const layContext = async (context: Readable, directory: string): Promise<void> => {
  try {
    await extractTar(plainView(directory), '/', context, { noOverwriteDirNonDir: false });
  } catch (error) {
    throw invalid(`Error processing tar file: ${messageOf(error)}`, error);
  }
};

const DEFAULT = 'Dockerfile';

const textOf = async (root: string, name: string): Promise<string | undefined> =>
  name.includes('\0') ? undefined : textAt({ root, path: name });

/** As in Docker, `dockerfile` does where there is no `Dockerfile`. */
const findDockerfile = async (root: string, asked: string): Promise<{ name: string; text: string }> => {
  if (posix.normalize(asked).startsWith('../'))
    throw invalid(`forbidden path outside the build context: ${asked} ()`);
  for (const name of asked === DEFAULT ? [DEFAULT, DEFAULT.toLowerCase()] : [asked]) {
    const text = await textOf(root, name);
    if (text !== undefined) return { name, text };
  }
  throw invalid(`Cannot locate specified Dockerfile: ${asked}`);
};

/** The client had to send both files; what .dockerignore names is not to be copied all the same. */
const forgetIgnored = async (root: string, dockerfile: string): Promise<void> => {
  const text = await textOf(root, '.dockerignore');
  if (text === undefined) return;
  const rules = parseIgnore(text);
  for (const name of ['.dockerignore', dockerfile])
    if (isIgnored(name, rules)) await removePlace({ root, path: name });
};

/** Answers the Dockerfile's text. Throws invalid. */
export const takeDockerfile = async (root: string, asked: string): Promise<string> => {
  try {
    const { name, text } = await findDockerfile(root, asked);
    if (text === '') throw invalid(`the Dockerfile (${name}) cannot be empty`);
    await forgetIgnored(root, name);
    return text;
  } catch (error) {
    if (error instanceof ViaductError) throw error;
    throw invalid(`Cannot locate specified Dockerfile: ${asked}`, error);
  }
};

/**
 * A path of a container as a tar stream, made by the system's tar from a descriptor of the directory: tar itself never
 * follows a link, and the descriptor was opened inside the root.
 */
import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { internal } from '../../errors.js';
import type { PathStat } from '../contract.js';
import { withInside } from '../inside.js';
import { pathError, type SplitPath, splitPath, statPath } from './path-stat.js';

/** For sed's replacement: the three characters that mean something there. */
const quoted = (name: string): string => name.replace(/[\\&,]/g, '\\$&');

/** `dir/` of a link: what is behind it, under the link's name. Hard links inside are renamed too, symbolic ones never. */
const renamed = (name: string): readonly string[] => [`--transform=flags=rSh;s,^\\.,${quoted(name)},`, '.'];

const membersOf = (split: SplitPath): readonly string[] => {
  if (split.name === '' || split.contents) return ['.'];
  return split.behindLink ? renamed(split.name) : [`./${split.name}`];
};

/** Names without the leading `./`, except where the directory's contents were asked for. */
const stripped = (split: SplitPath): readonly string[] =>
  split.name === '' || split.behindLink ? [] : ['--transform=flags=rSh;s,^\\./,,'];

/** tar ends with 1 where a file changed while it was read: what was sent is still whole. */
const isFailure = (code: number | null): boolean => code === null || code > 1;

const OPTIONS = [
  '--create',
  '--file=-',
  '--format=pax',
  '--numeric-owner',
  // sockets cannot be archived
  '--warning=no-file-ignored',
  '--directory=/proc/self/fd/3',
];

const spawnTar = (fd: number, split: SplitPath): Readable => {
  const child = spawn('tar', [...OPTIONS, ...stripped(split), ...membersOf(split)], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
  });
  const output = new PassThrough();
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4096);
  });
  child.stdout?.pipe(output, { end: false });
  child.once('error', (cause) => output.destroy(internal(`tar: ${cause.message}`, cause)));
  child.once('close', (code) => {
    if (isFailure(code)) output.destroy(internal(`tar: ${complaint.trim()}`));
    else output.end();
  });
  // A client that leaves must not leave tar waiting at a full pipe.
  output.once('close', () => child.kill('SIGKILL'));
  return output;
};

/** Throws not-found. */
export const archivePath = (root: string, path: string): { stat: PathStat; tar: Readable } => {
  const stat = statPath(root, path);
  const split = splitPath(path);
  try {
    const directory = split.name === '' || split.behindLink ? path : split.parent;
    return { stat, tar: withInside(root, directory, { directory: true }, (fd) => spawnTar(fd, split)) };
  } catch (error) {
    throw pathError(path, error);
  }
};

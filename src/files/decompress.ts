/** Compressed or plain, told from a stream's first bytes, and undone by the tool that Debian has for it. */
import { spawn } from 'node:child_process';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { invalid } from '../errors.js';

/** First bytes → the program that undoes it (`gzip` is done here). */
const MAGIC: readonly (readonly [bytes: string, program: string])[] = [
  ['1f8b', 'gzip'],
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
  ['28b52ffd', 'zstd'],
];
const LONGEST = 6;

/** Reads until enough bytes are there to tell; answers them and the whole stream again. */
const peek = async (input: Readable): Promise<readonly [head: Buffer, whole: Readable]> => {
  const iterator = input[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < LONGEST) {
    const next = await iterator.next();
    if (next.done) break;
    const chunk = Buffer.from(next.value);
    chunks.push(chunk);
    length += chunk.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* chunks;
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      yield Buffer.from(next.value);
  }
  return [Buffer.concat(chunks).subarray(0, LONGEST), Readable.from(all(), { objectMode: false })];
};

const throughProgram = (program: string, input: Readable): Readable => {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const output = new PassThrough();
  child.once('error', (cause) => output.destroy(invalid(`${program} is needed to read this stream`, cause)));
  child.once('close', (code) => {
    if (code !== 0) output.destroy(invalid(`the stream is not valid ${program} data`));
    else output.end();
  });
  pipeline(input, child.stdin).catch((error: Error) => child.stdout.destroy(error));
  child.stdout.pipe(output, { end: false });
  child.stdout.once('error', (error) => output.destroy(error));
  return output;
};

/** The stream as a plain tar. Failures surface as the stream's error, of kind invalid. */
export const decompressed = async (input: Readable): Promise<Readable> => {
  const [head, whole] = await peek(input);
  const hex = head.toString('hex');
  const program = MAGIC.find(([bytes]) => hex.startsWith(bytes))?.[1];
  if (!program) return whole;
  if (program !== 'gzip') return throughProgram(program, whole);
  const gunzip = createGunzip();
  whole.once('error', (error) => gunzip.destroy(error));
  return whole.pipe(gunzip);
};

/** Compressed or plain, told from a stream's first bytes, and undone by the tool that Debian has for it. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalid } from '../errors.js';
import { throughProgram } from '../kernel/program.js';

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
  const whole = Readable.from(all(), { objectMode: false }).on('error', () => {});
  return [Buffer.concat(chunks).subarray(0, LONGEST), whole];
};

/** The stream as a plain tar. Failures surface as the stream's error, of kind invalid. */
export const decompressed = async (input: Readable): Promise<Readable> => {
  const [head, whole] = await peek(input);
  const hex = head.toString('hex');
  const program = MAGIC.find(([bytes]) => hex.startsWith(bytes))?.[1];
  if (!program) return whole;
  if (program !== 'gzip')
    return throughProgram(program, ['-dc'], whole, (reason, cause) =>
      invalid(`the stream is not valid ${program} data: ${reason}`, cause),
    );
  // Errors of both are the answer's: its reader hears them.
  return pipeline(whole, createGunzip(), () => {});
};

/** Tar streams as clients send them: plain, gzip, bzip2, xz or zstd, told by their first bytes. */
import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalid } from '../../errors.js';

const PROGRAMS: readonly { readonly magic: string; readonly program: string }[] = [
  { magic: '425a68', program: 'bzip2' },
  { magic: 'fd377a585a00', program: 'xz' },
  { magic: '28b52ffd', program: 'zstd' },
];
const GZIP = '1f8b';

const firstBytes = async (input: Readable): Promise<Buffer> => {
  const head: Buffer[] = [];
  let length = 0;
  while (length < 6) {
    const chunk: unknown = input.read();
    if (Buffer.isBuffer(chunk)) {
      head.push(chunk);
      length += chunk.length;
    } else if (input.readableEnded || input.destroyed) break;
    else
      await new Promise<void>((resolve, reject) => {
        const done = () => {
          input.off('readable', done).off('end', done).off('close', done).off('error', reject);
          resolve();
        };
        input.once('readable', done).once('end', done).once('close', done).once('error', reject);
      });
  }
  const bytes = Buffer.concat(head);
  if (bytes.length > 0 && !input.readableEnded) input.unshift(bytes);
  return bytes;
};

const through = (input: Readable, program: string): Readable => {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const output = new PassThrough();
  child.once('error', (cause) => output.destroy(invalid(`${program}: ${cause.message}`, cause)));
  child.once('close', (code) =>
    code ? output.destroy(invalid(`${program} could not read the archive`)) : output.end(),
  );
  child.stdin.on('error', () => {});
  input.pipe(child.stdin);
  child.stdout.pipe(output, { end: false });
  return output;
};

export const decompressed = async (input: Readable): Promise<Readable> => {
  const head = (await firstBytes(input)).toString('hex');
  if (head.startsWith(GZIP)) {
    const gunzip = createGunzip();
    input.once('error', (error) => gunzip.destroy(error));
    return input.pipe(gunzip);
  }
  const found = PROGRAMS.find(({ magic }) => head.startsWith(magic));
  return found ? through(input, found.program) : input;
};

/** ADD of a URL: the file as the server sends it, in a directory of the build's. */
import { createWriteStream, utimesSync } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalid, messageOf } from '../../errors.js';

export const isUrl = (text: string): boolean => /^https?:\/\//.test(text);

/** Name of the file that a URL's path or the server names; empty: neither does. */
const nameOf = (url: string, disposition: string | null): string => {
  const path = decodeURIComponent(new URL(url).pathname);
  const named = path.endsWith('/') ? (/filename="?([^";]+)"?/.exec(disposition ?? '')?.[1] ?? '') : path;
  const name = posix.basename(named);
  return name === '.' || name === '..' ? '' : name.replaceAll('\0', '');
};

/** Answers the file's name. Throws invalid. */
export const download = async (
  url: string,
  directory: string,
  destination: string,
  signal: AbortSignal,
): Promise<string> => {
  try {
    // undici gives up on a server that says nothing for five minutes
    const answer = await fetch(url, { signal });
    if (!answer.ok || !answer.body)
      throw invalid(`failed to GET ${url} with status ${answer.status} ${answer.statusText}`);
    const name = nameOf(url, answer.headers.get('content-disposition'));
    if (name === '' && destination.endsWith('/'))
      throw invalid(`cannot determine filename for source ${url}`);
    const file = posix.join(directory, name || '__unnamed__');
    // the type of the web's streams in Node's library and in TypeScript's are not one
    const body = Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
    await pipeline(body, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal });
    const modified = Date.parse(answer.headers.get('last-modified') ?? '') / 1000 || 0;
    utimesSync(file, modified, modified);
    return posix.basename(file);
  } catch (error) {
    const reason = messageOf(error);
    throw invalid(reason === 'fetch failed' ? `failed to GET ${url}` : reason, error);
  }
};

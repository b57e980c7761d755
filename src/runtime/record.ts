/** What must be known of a running container after the daemon itself was restarted; kept as JSON in its bundle. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { attempt } from '../errors.js';
import { replaceFile, textOrNone } from '../small-files.js';
import type { Layout } from './layout.js';

const identity = z.object({ pid: z.number().int(), startTime: z.string() });
const schema = z.object({
  process: identity,
  conmon: identity,
  tty: z.boolean(),
  /** stdin was opened at create */
  stdin: z.boolean(),
  /** the first client that closes stdin closes the container's */
  stdinOnce: z.boolean(),
  rootfs: z.string(),
});

export type ContainerRecord = z.infer<typeof schema>;

const pathOf = (layout: Layout, id: string): string => join(layout.bundle(id), 'viaduct.json');

export const writeRecord = (layout: Layout, id: string, record: ContainerRecord): void =>
  replaceFile(pathOf(layout, id), JSON.stringify(record));

/** What the engine keeps beside a bundle. */
const keptPath = (layout: Layout, id: string): string => join(layout.bundle(id), 'kept');

export const keepText = (layout: Layout, id: string, text: string): void => {
  if (existsSync(layout.bundle(id))) replaceFile(keptPath(layout, id), text);
};

export const keptText = (layout: Layout, id: string): string | undefined =>
  textOrNone(keptPath(layout, id)) || undefined;

/** Undefined where there is none or it is damaged. */
export const readRecord = (layout: Layout, id: string): ContainerRecord | undefined =>
  attempt(() => schema.parse(JSON.parse(readFileSync(pathOf(layout, id), 'utf8'))));

/** What must be known of a running container after the daemon itself was restarted; kept as JSON in its bundle. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
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

export const writeRecord = (layout: Layout, id: string, record: ContainerRecord): void => {
  const path = pathOf(layout, id);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** Undefined where there is none or it is damaged. */
export const readRecord = (layout: Layout, id: string): ContainerRecord | undefined => {
  try {
    return schema.parse(JSON.parse(readFileSync(pathOf(layout, id), 'utf8')));
  } catch {
    return undefined;
  }
};

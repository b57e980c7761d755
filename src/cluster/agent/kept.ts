/**
 * What a node knows of its cluster's wishes while no manager tells it: items and what it said of its tasks, in a file that is there whole
 * or not at all. Secrets are in no file: a task that needs one anew waits for a manager.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Logger } from '../../log.js';
import { readText } from '../life/whole.js';
import { type AssignedItem, assignedItem, itemKey, type TaskSaid, taskSaid } from '../session/assigned.js';
import type { Items } from './others.js';

const kept = z.object({ form: z.literal(1), items: z.array(assignedItem), said: z.array(taskSaid) });

export interface Kept {
  readonly items: Map<string, AssignedItem>;
  readonly said: Map<string, TaskSaid>;
}

/** milliseconds: changes that come together are written together; and what a disk did not take is written again */
const [SOON_MS, AGAIN_MS] = [200, 5_000];

/** Nothing, where there is no file; a file that cannot be read is told of and left out: the next session brings all again. */
export const readKept = (path: string, log: Logger): Kept => {
  const text = readText(path);
  const nothing = { items: new Map(), said: new Map() };
  if (text === undefined) return nothing;
  try {
    const { items, said } = kept.parse(JSON.parse(text));
    return {
      items: new Map(items.map((item) => [itemKey(item), item])),
      said: new Map(said.map((each) => [each.id, each])),
    };
  } catch (error) {
    log.warn(
      { path, error: String(error) },
      'what this node was to do cannot be read: a manager says it again',
    );
    return nothing;
  }
};

const write = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
};

/** Without contents and credentials. */
const keptOf = (item: AssignedItem): readonly AssignedItem[] => {
  if (item.kind === 'secret' || item.kind === 'config') return [];
  if (item.kind !== 'task') return [item];
  const { registryAuth: _, ...made } = item.made;
  return [{ ...item, made }];
};

/** Writes what there is, some time after `later`, one write at a time. */
export const createKeeper = (
  path: string,
  now: () => { readonly items: Items; readonly said: ReadonlyMap<string, TaskSaid> },
  log: Logger,
): { later(): void; close(): Promise<void> } => {
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let told = false;
  let closed = false;
  const fail = (error: unknown): void => {
    if (!told) log.warn({ error: String(error) }, 'what this node is to do is not written yet: again');
    told = true;
    if (!closed) timer ??= setTimeout(writeNow, AGAIN_MS).unref();
  };
  const writeNow = (): void => {
    timer = undefined;
    const { items, said } = now();
    const text = JSON.stringify({
      form: 1,
      items: [...items.values()].flatMap(keptOf),
      said: [...said.values()],
    });
    writing = writing
      .then(() => write(path, text))
      .then(() => {
        told = false;
      }, fail);
  };
  return {
    later() {
      timer ??= setTimeout(writeNow, SOON_MS);
    },
    async close() {
      closed = true;
      if (timer) {
        clearTimeout(timer);
        writeNow();
      }
      await writing;
    },
  };
};

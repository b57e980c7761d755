/** What killed test runs leave is taken away by the next, and nothing of those that run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createWorld, sweepWorlds, type World } from '../support/world.js';

const worlds: World[] = [];
const made = async (): Promise<World> => {
  const world = await createWorld();
  worlds.push(world);
  return world;
};
afterAll(() => Promise.all(worlds.map((world) => world.remove())));

/** Somebody who lives in the world, until he is ended. */
const dweller = async ({ enter: [program = '', ...args] }: World) => {
  const child = spawn(program, [...args, 'sleep', '600'], { stdio: 'ignore' });
  await once(child, 'spawn');
  return child;
};

test('a world whose test was killed goes with its processes, namespaces and files; a living one stays', async () => {
  const [orphan, living] = [await made(), await made()];
  const [lost, kept] = [await dweller(orphan), await dweller(living)];
  const ended = once(lost, 'exit');
  const { host, outside } = orphan.netns;
  const names = [host, outside].map((path) => path.replace('/run/netns/', ''));
  // A process of this number that began at another time than ours: the number is a stranger's by now.
  const owner = { pid: process.pid, startTime: '1' };
  writeFileSync(join(orphan.base, 'world.json'), JSON.stringify({ owner, base: orphan.base, names }));
  expect(await sweepWorlds()).toContain(orphan.base);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect([orphan.base, host, outside].filter((path) => existsSync(path))).toEqual([]);
  expect(kept.exitCode).toBe(null);
  expect(await living.host('echo here')).toBe('here');
  expect(await sweepWorlds()).not.toContain(living.base);
});

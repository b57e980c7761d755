/** The plugin of examples/plugin as a process on a world's host. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './daemon.js';
import type { World } from './world.js';

/** Where it listens and where it keeps its pools. */
export const pluginSockets = ({ base }: Pick<World, 'base'>): string => join(base, 'plugins');
export const pluginPools = ({ base }: Pick<World, 'base'>): string => join(base, 'pools.json');

/** Resolves when it answers. */
export const startExamplePlugin = async (world: World): Promise<ChildProcess> => {
  const [program = '', ...enter] = world.enter;
  const script = join(ROOT, 'examples/plugin/plugin.mjs');
  const args = [process.execPath, script, 'example', pluginSockets(world), pluginPools(world)];
  const child = spawn(program, [...enter, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
};

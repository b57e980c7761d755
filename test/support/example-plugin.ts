/** The plugin of examples/plugin, run on the host of a daemon's world. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import type { TestDaemon } from './daemon.js';
import { pluginPools, startExamplePlugin } from './plugin-process.js';
import { until } from './run.js';

export interface ExamplePlugin {
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** its pools, with the addresses given from them */
  pools(): Readonly<Record<string, { readonly taken: readonly string[] }>>;
  /** links and pools that it made and was not told to take away */
  held(): Promise<readonly string[]>;
  /** resolves when it was told of all that is gone */
  nothingHeld(ms?: number): Promise<unknown>;
}

/** Runs for the whole file; a test may end it and start it again. */
export const examplePluginFor = (d: TestDaemon): ExamplePlugin => {
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await startExamplePlugin(d.world);
  };
  const end = (signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  beforeAll(start);
  afterAll(() => end('SIGKILL'));
  const pools = () => {
    const file = pluginPools(d.world);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  };
  const held = async (): Promise<readonly string[]> => {
    const links = await d.host("ip -o link | awk -F'[ :@]+' '{print $2}' | grep ^ex || true");
    return [...links.split('\n').filter((line) => line !== ''), ...Object.keys(pools())];
  };
  return {
    start,
    end,
    signal: (signal) => void child?.kill(signal),
    pools,
    held,
    nothingHeld: (ms = 20_000) =>
      until('the plugin was told of all that is gone', async () => (await held()).length === 0, ms),
  };
};

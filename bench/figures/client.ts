/** `docker run --rm alpine true` through the real client, from its first instruction to its exit. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Bench, type Figure, inTurn, Samples } from '../bench.js';
import type { Engine } from '../engine.js';
import { most, type Row } from '../row.js';

const timed = (client: string, engine: Engine, args: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(client, args, {
      env: {
        PATH: process.env.PATH ?? '',
        DOCKER_HOST: `unix://${engine.socket}`,
        DOCKER_CONFIG: join(engine.world.base, 'client'),
        DOCKER_CLI_HINTS: 'false',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      const ms = performance.now() - begin;
      if (code === 0) resolve(ms);
      else reject(new Error(`${client} ${args.join(' ')}: exit code ${code}\n${said}`));
    });
  });

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<'run' | 'ps'>();
  await inTurn(bench.engines, bench.rounds(30, 6), async (engine, measured) => {
    const run = await timed(bench.client, engine, ['run', '--rm', 'alpine', 'true']);
    const ps = await timed(bench.client, engine, ['ps']);
    if (!measured) return;
    samples.add('run', engine.name, run);
    samples.add('ps', engine.name, ps);
  });
  return [
    {
      title: 'docker run --rm alpine true',
      unit: 'ms',
      better: 'less',
      // 165 to 234 ms in the runs of that day
      target: most(42, 200),
      samples: samples.get('run'),
    },
    {
      title: 'docker ps (what the client itself takes)',
      unit: 'ms',
      better: 'less',
      samples: samples.get('ps'),
    },
  ];
};

export const client: Figure = { name: 'client', about: 'docker run --rm through the real client', measure };

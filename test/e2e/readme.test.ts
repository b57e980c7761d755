/** The README's tour is run, line by line, and says what the README says. UPDATE_README=1 writes what it said. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLIENTS, ROOT } from '../support/daemon.js';
import { daemonForThisFile } from '../support/phrases.js';
import { until } from '../support/run.js';
import { knowManyPorts } from '../support/stands.js';
import { alike, readTour, rewriteTour, type Step } from '../support/tour.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });
knowManyPorts();
const README = join(ROOT, 'README.md');

const onHost = async (command: string): Promise<string> => {
  if (command === 'npm start >/dev/null') return d.start().then(() => '');
  const here = command.replace('/run/viaduct.pid', join(d.world.base, 'pid'));
  // Both outputs as a person sees them; the client's hints and its remark on the classic builder are left out.
  const { stdout } = await d.host.try(`exec 2>&1; cd ${ROOT}; docker() { ${CLIENTS[0]} "$@"; }; ${here}`, {
    env: {
      DOCKER_HOST: `unix://${d.socket}`,
      DOCKER_CONFIG: join(d.world.base, 'client'),
      DOCKER_BUILDKIT: '0',
      DOCKER_CLI_HINTS: 'false',
    },
    timeoutMs: 60_000,
  });
  return stdout
    .replace(/^DEPRECATED: [\s\S]*?environment-variable\.\n\n/, '')
    .replace(/\nRun 'docker .* --help' for more information\n/, '')
    .trimEnd();
};

const elsewhere = async (command: string): Promise<string> => (await d.outside.try(command)).stdout.trimEnd();

/** A server in a container needs a moment after `docker run -d`; a person types slowly enough. */
const run = async ({ where, command }: Step): Promise<string> => {
  const once = () => (where === 'host' ? onHost(command) : elsewhere(command));
  if (!/^(curl|nc) /.test(command)) return once();
  return until(`an answer to ${command}`, async () => (await once()) || undefined, 5_000);
};

test('O1 the README’s tour', { timeout: 180_000 }, async () => {
  const text = readFileSync(README, 'utf8');
  const steps = readTour(text);
  expect(steps.length).toBeGreaterThan(50);
  const outputs: string[] = [];
  for (const step of steps) outputs.push(await run(step));
  if (process.env.UPDATE_README === '1') writeFileSync(README, rewriteTour(text, outputs));
  const told = (said: readonly string[]): readonly string[] =>
    steps.map((step, at) => `$ ${step.command}\n${alike(said[at] ?? '')}`);
  const shown = process.env.UPDATE_README === '1' ? outputs : steps.map(({ output }) => output);
  expect(told(outputs)).toEqual(told(shown));
});

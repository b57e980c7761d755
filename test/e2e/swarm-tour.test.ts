/** S1, S3, S4, S6, S7, S8: the tour of three hosts is run, line by line, and says what it says. UPDATE_TOUR=1 writes what it said. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLIENTS, ROOT } from '../support/daemon.js';
import { type Lab, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { alike, readTour, rewriteTour, type Step } from '../support/tour.js';

const TOUR = join(ROOT, 'docs/swarm-tour.md');
/** Where its lines are typed, on whichever host. */
const desk = mkdtempSync(join(tmpdir(), 'viaduct-tour-'));

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(3, { images: ['alpine', 'nginx', 'nettools'] });
}, 120_000);
afterAll(async () => {
  await lab?.stop();
  rmSync(desk, { recursive: true });
}, 60_000);

const typed = async ({ where, command }: Step): Promise<string> => {
  if (where === 'outside') return (await lab.wire.try(command)).stdout.trimEnd();
  const { host, socket } = lab.host(Number(where.replace('host', '')));
  const { stdout } = await host.try(`exec 2>&1; cd ${desk}; docker() { ${CLIENTS[0]} "$@"; }; ${command}`, {
    env: { DOCKER_HOST: `unix://${socket}`, DOCKER_CLI_HINTS: 'false' },
    timeoutMs: 60_000,
  });
  return stdout.trimEnd();
};

/** A server needs a moment after its container; a person types slowly enough. */
const run = (step: Step): Promise<string> =>
  step.command.startsWith('curl ')
    ? until(`200 to ${step.command}`, async () => (await typed(step)).includes('200') && '200', 20_000)
    : typed(step);

test('the tour of three hosts', { timeout: 240_000 }, async () => {
  const text = readFileSync(TOUR, 'utf8');
  const steps = readTour(text);
  expect(steps.length).toBeGreaterThan(25);
  const outputs: string[] = [];
  for (const step of steps) outputs.push(await run(step));
  if (process.env.UPDATE_TOUR === '1') writeFileSync(TOUR, rewriteTour(text, outputs));
  const told = (said: readonly string[]): readonly string[] =>
    steps.map(({ where, command }, at) => `${where}$ ${command}\n${alike(said[at] ?? '')}`);
  const shown = process.env.UPDATE_TOUR === '1' ? outputs : steps.map(({ output }) => output);
  expect(told(outputs)).toEqual(told(shown));
});

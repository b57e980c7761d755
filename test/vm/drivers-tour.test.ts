/** The tour of docs/drivers.md is run, line by line, and says what the page says. UPDATE_README=1 writes what it said. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLIENTS, ROOT } from '../support/daemon.js';
import { daemonForThisFile } from '../support/phrases.js';
import { alike, readTour, rewriteTour, type Step } from '../support/tour.js';

const d = daemonForThisFile({ images: ['alpine'] });
const PAGE = join(ROOT, 'docs/drivers.md');

const run = async ({ where, command }: Step): Promise<string> => {
  if (where === 'elsewhere') return (await d.outside.try(command)).stdout.trimEnd();
  const { stdout } = await d.host.try(`exec 2>&1; docker() { ${CLIENTS[0]} "$@"; }; ${command}`, {
    env: {
      DOCKER_HOST: `unix://${d.socket}`,
      DOCKER_CONFIG: join(d.world.base, 'client'),
      DOCKER_CLI_HINTS: 'false',
    },
    timeoutMs: 60_000,
  });
  return stdout.trimEnd();
};

/** The switch's side of the trunk. */
const TRUNK = `for id in 50 60; do
  ip link add link eth0 name eth0.$id type vlan id $id
  ip address add 10.0.$id.1/24 dev eth0.$id
  ip link set eth0.$id up
done`;

test('D6 the tour of the physical network', { timeout: 180_000 }, async () => {
  await d.outside(TRUNK);
  const text = readFileSync(PAGE, 'utf8');
  const steps = readTour(text);
  expect(steps.length).toBeGreaterThan(12);
  const outputs: string[] = [];
  for (const step of steps) outputs.push(await run(step));
  if (process.env.UPDATE_README === '1') writeFileSync(PAGE, rewriteTour(text, outputs));
  const told = (said: readonly string[]): readonly string[] =>
    steps.map((step, at) => `$ ${step.command}\n${alike(said[at] ?? '')}`);
  expect(told(outputs)).toEqual(told(steps.map(({ output }) => output)));
});

/**
 * The daemon is killed once in the middle of some commands of one life on 802.1q sub-interfaces that it makes itself: a
 * daemon's start takes seconds here, so the places are few. Every place, on a plain parent: test/e2e/crash-macvlan.test.ts.
 */
import { expect, test } from 'vitest';
import { crashesAt, view } from '../support/crash.js';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { ping } = phrasesFor(d);

const on = (driver: string, id: number, name: string): readonly string[] => [
  ...['network', 'create', '-d', driver, '--subnet', `10.0.${id}.0/24`, '--gateway', `10.0.${id}.1`],
  ...['-o', `parent=eth0.${id}`, name],
];

interface Command {
  /** the place at which it is killed, amid the kernel's steps; absent: it is not */
  readonly at?: number;
  readonly command: readonly string[];
  readonly before: string;
  readonly done: string;
  /** further sights that a crash may leave; the command goes on from there */
  readonly may?: readonly string[];
  /** what answers then */
  readonly reached?: readonly string[];
}

const LIFE: readonly Command[] = [
  { at: 2, command: on('ipvlan', 50, 'ip'), before: '', done: 'ip[]' },
  { command: on('macvlan', 60, 'mac'), before: 'ip[]', done: 'ip[], mac[]' },
  {
    at: 7,
    command: ['start', 'box'],
    before: 'ip[], mac[], box created',
    may: ['ip[], mac[], box exited'],
    done: 'ip[box], mac[box], box running',
    reached: ['10.0.50.1', '10.0.60.1'],
  },
  { command: ['rm', '-f', 'box'], before: 'ip[box], mac[box], box running', done: 'ip[], mac[]' },
  { at: 2, command: ['network', 'rm', 'ip'], before: 'ip[], mac[]', done: 'mac[]' },
  { command: ['network', 'rm', 'mac'], before: 'mac[]', done: '' },
];

/** The trunk's other end. */
const trunk = () =>
  d.outside(`
    for id in 50 60; do
      ip link add link eth0 name eth0.$id type vlan id $id
      ip address add 10.0.$id.1/24 dev eth0.$id
      ip link set eth0.$id up
    done`);

/** Killed in the middle of it, the next daemon has it as before or as done, and it can be said again. */
const killedIn = async (at: number, { command, before, done, may = [] }: Command): Promise<void> => {
  const where = `killed at place ${at} of ${command.join(' ')}`;
  expect(await crashesAt(d, at, () => d.docker.try(command)), where).toBe(true);
  await d.start();
  const seen = await view(d);
  expect([before, done, ...may], where).toContain(seen);
  if (seen !== done) await d.docker(...command);
};

const goThrough = async (step: Command): Promise<void> => {
  const { at, command, done, reached = [] } = step;
  if (at === undefined) await d.docker(...command);
  else await killedIn(at, step);
  expect(await view(d)).toBe(done);
  for (const address of reached)
    await until(`${address} after ${command.join(' ')}`, async () => (await ping('box', address)).code === 0);
};

/** On both networks. */
const createBox = async (): Promise<void> => {
  const flags = ['--name', 'box', '--stop-timeout', '0', '--network', 'ip'];
  await d.docker('create', ...flags, 'alpine', 'sleep', '600');
  await d.docker('network', 'connect', 'mac', 'box');
};

test('O3 D6 D7 killed in commands of a life on sub-interfaces of our own', {
  timeout: 400_000,
}, async () => {
  const empty = await kernelState(d);
  await trunk();
  for (const step of LIFE) {
    if (step.command[0] === 'start') await createBox();
    await goThrough(step);
  }
  await d.outside('ip link del eth0.50; ip link del eth0.60');
  expect(await kernelState(d)).toEqual(empty);
});

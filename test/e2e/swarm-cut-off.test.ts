/** S1: `docker swarm init` whose daemon dies has made a cluster or none, never half of one. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(1);
}, 60_000);
afterAll(() => lab?.stop(), 60_000);

/** milliseconds after the command; undefined: after its answer */
const MOMENTS = [5, 40, 80, 150, 400, undefined];

test('S1: killed at whichever moment of swarm init, the next daemon is in a swarm that works, or in none', async () => {
  const { docker, kill9, start } = lab.host(1);
  const isActive = async (): Promise<boolean> => {
    const state = await docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}');
    expect(state.trim()).toMatch(/^(active|inactive)$/);
    return state.startsWith('active');
  };
  for (const moment of MOMENTS) {
    const asked = docker.try(['swarm', 'init']);
    await (moment === undefined ? asked : pause(moment));
    await kill9();
    const { code } = await asked;
    await start();
    const active = await isActive();
    // What was answered is there; what was not may be.
    if (code === 0) expect(active).toBe(true);
    const self = () => docker('node', 'ls', '--format', '{{.Self}} {{.Status}} {{.ManagerStatus}}');
    // The node that init was killed over has its first session after the daemon's start; an init that answers has waited for it.
    if (active) await until('the node is ready', async () => (await self()) === 'true Ready Leader');
    else await docker('swarm', 'init');
    expect(await self()).toBe('true Ready Leader');
    await docker('swarm', 'leave', '--force');
  }
}, 180_000);

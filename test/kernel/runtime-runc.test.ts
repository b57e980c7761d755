/** The fallback: the same life with runc in crun's place. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { container, makeWorld, readAll, type World } from './runtime-world.js';

let world: World;
beforeAll(async () => {
  world = await makeWorld({ runtime: 'runc' });
});
afterAll(() => world.close());

test('it is runc', () => {
  expect(world.runtime.name).toBe('runc');
});

test('output, exit code, user, seccomp', async () => {
  const { exit, out } = await world.shell('id -u; grep Seccomp: /proc/self/status; exit 3', {
    config: { User: 'alice' },
  });
  expect(out).toMatch(/^1000\nSeccomp:\s+2\n$/);
  expect(exit.exitCode).toBe(3);
});

test('a missing command', async () => {
  const refused = await world.runtime.create(world.request(container(['nonsense']))).catch((e: unknown) => e);
  expect(refused).toMatchObject({ kind: 'invalid', exitCode: 127 });
  expect(String(refused)).toContain('executable file not found in $PATH');
});

test('exec, kill, adoption', async () => {
  const { box, id, pid, exited } = await world.launch(['sleep', '100']);
  const exec = await world.exec(box, ['echo', 'piped']);
  expect(await readAll(exec.streams.stdout)).toBe('piped\n');
  await expect(world.exec(box, ['tty'], { tty: true })).rejects.toThrow('needs crun');
  const second = await world.open();
  expect(second.adopt(id)).toEqual({ pid });
  await second.close();
  await world.runtime.kill(id, 9);
  expect((await exited).exitCode).toBe(137);
});

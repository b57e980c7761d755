/** Further processes in running containers, and the views on them: exec, top, usage, update. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as ffi from '../../src/kernel/ffi.js';
import { consoleSocket } from '../../src/runtime/terminal.js';
import { makeWorld, readAll, type World } from './runtime-world.js';

let world: World;
let box: Awaited<ReturnType<World['launch']>>;
beforeAll(async () => {
  world = await makeWorld();
  box = await world.launch(['sleep', '1000'], {
    config: { Env: ['A=1'] },
    host: { Ulimits: [{ Name: 'core', Soft: 0, Hard: -1 }], Memory: 64 << 20 },
  });
});
afterAll(() => world.close());

const run = async (command: readonly string[], wishes = {}) => {
  const exec = await world.exec(box.box, command, wishes);
  const [out, err, code] = await Promise.all([
    readAll(exec.streams.stdout),
    readAll(exec.streams.stderr),
    exec.exited,
  ]);
  return { out, err, code };
};

describe('exec', () => {
  test('streams apart, exit code', async () => {
    expect(await run(['sh', '-c', 'echo out; echo err >&2; exit 9'])).toEqual({
      out: 'out\n',
      err: 'err\n',
      code: 9,
    });
  });

  test('a signal ends it with 128 and more', async () => {
    expect((await run(['sh', '-c', 'kill -9 $$'])).code).toBe(137);
  });

  test('input, its end, and much of it', async () => {
    const exec = await world.exec(box.box, ['wc', '-c'], { attachStdin: true });
    exec.streams.stdin?.write(Buffer.alloc(500_000, 120));
    exec.streams.stdin?.end();
    expect((await readAll(exec.streams.stdout)).trim()).toBe('500000');
    expect(await exec.exited).toBe(0);
  });

  test('its output can be opened again as /dev/stdout', async () => {
    expect((await run(['sh', '-c', 'echo again > /dev/stdout'])).out).toBe('again\n');
  });

  test('user, environment, working directory, privileges; the container’s own otherwise', async () => {
    const script =
      'id -u; echo $A $B; pwd; grep CapEff /proc/self/status | cut -c9-; grep Seccomp: /proc/self/status';
    const plain = (await run(['sh', '-c', script])).out.trim().split('\n');
    expect(plain.slice(0, 3)).toEqual(['0', '1', '/']);
    expect(plain[3]).toBe('00000000a80425fb');
    expect(plain[4]).toMatch(/2$/);
    const changed = (
      await run(['sh', '-c', script], { user: 'alice', env: ['B=2'], workingDir: '/tmp' })
    ).out.split('\n');
    expect(changed.slice(0, 4)).toEqual(['1000', '1 2', '/tmp', '0000000000000000']);
    const privileged = (await run(['sh', '-c', script], { privileged: true })).out.split('\n')[3] ?? '';
    expect(BigInt(`0x${privileged}`)).toBeGreaterThan(0xa80425fbn);
  });

  test('it is in the container’s cgroup and namespaces', async () => {
    const exec = await world.exec(box.box, ['sleep', '5']);
    await expect.poll(() => exec.pid).toBeGreaterThan(0);
    const cgroup = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').replace(/^0::.*\n/m, '');
    await expect.poll(() => cgroup(exec.pid)).toBe(cgroup(box.pid));
    exec.end();
    expect(await exec.exited).toBe(137);
  });

  test('M1 ended, it takes all that it started along, and nobody else', async () => {
    const script = 'sleep 1001 & (sleep 1002 & sleep 1003) & (setsid sleep 1004; true) & sleep 1005';
    const other = await world.launch(['sleep', '1000']);
    const exec = await world.exec(other.box, ['sh', '-c', script]);
    const asleep = async () =>
      (await world.runtime.top(other.id, '-eo pid,args')).processes
        .map(([, args]) => args)
        .filter((args) => /^sleep/.test(args ?? ''));
    await expect.poll(asleep).toHaveLength(6);
    exec.end();
    expect(await exec.exited).toBe(137);
    await expect.poll(asleep).toEqual(['sleep 1000']);
    exec.end();
    await world.runtime.delete(other.id);
  });

  test.each([
    [['nonsense'], 127, 'executable file not found in $PATH'],
    [['/bin/nowhere'], 127, 'no such file or directory'],
    [['/noexec/file'], 126, 'permission denied'],
    [['/tmp'], 126, 'is a directory'],
  ])('%j is refused with exit code %i', async (command, exitCode, words) => {
    const refused = await world.exec(box.box, command).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'invalid', exitCode });
    expect(String(refused)).toContain(words);
  });

  test('a terminal: echo, size at the start, resize, end', async () => {
    // How soon a resize is through is conmon's affair.
    const resized =
      'stty size; read a; until [ "$(stty size)" = "30 90" ]; do sleep 0.05; done; stty size; exit 4';
    const exec = await world.exec(box.box, ['sh', '-c', resized], {
      tty: true,
      attachStdin: true,
      size: { rows: 20, columns: 70 },
    });
    const output = readAll(exec.streams.stdout);
    await once(exec.streams.stdout, 'data');
    exec.resize({ rows: 30, columns: 90 });
    exec.streams.stdin?.write('x\n');
    expect(await exec.exited).toBe(4);
    expect(await output).toBe('20 70\r\nx\r\n30 90\r\n');
  });

  test('C11: a runtime that has ended may have sent its terminal all the same', async () => {
    const came = await consoleSocket(world.base);
    const address = Buffer.concat([Buffer.from([ffi.AF.UNIX, 0]), Buffer.from(`${came.path}\0`)]);
    const runtime = ffi.socket(ffi.AF.UNIX, ffi.SOCK.STREAM);
    ffi.connect(runtime, address);
    ffi.close(runtime);
    expect(await came.hasCome()).toBe(true);
    await expect(came.received).rejects.toThrow('no terminal');
    const other = await consoleSocket(world.base);
    expect(await other.hasCome()).toBe(false);
    other.close();
  });

  test('much output over a terminal is whole', async () => {
    const exec = await world.exec(box.box, ['seq', '1', '30000'], { tty: true });
    const lines = (await readAll(exec.streams.stdout)).trimEnd().split('\r\n');
    expect([lines.length, lines.at(-1)]).toEqual([30_000, '30000']);
  });

  test('three at once', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map((letter) => run(['echo', letter])));
    expect(all.map(({ out }) => out)).toEqual(['a\n', 'b\n', 'c\n']);
  });

  test('none in a paused container', async () => {
    await world.runtime.pause(box.id);
    await expect(world.exec(box.box, ['true'])).rejects.toThrow(
      'is paused, unpause the container before exec',
    );
    await world.runtime.resume(box.id);
  });

  test('no file of it stays behind', async () => {
    await run(['true']);
    const left = (await run(['ls', '/'])).out;
    expect(left).toContain('bin');
    const { readdirSync } = await import('node:fs');
    await expect
      .poll(() => readdirSync(join(world.base, 'run', box.id)).filter((name) => name.startsWith('exec-')))
      .toEqual([]);
    expect(readdirSync(join(world.base, 'run/.tty'))).toEqual([]);
  });
});

describe('views', () => {
  test('top shows the container’s processes only', async () => {
    const { titles, processes } = await world.runtime.top(box.id, '');
    expect(titles[1]).toBe('PID');
    expect(processes.map((row) => row.at(-1))).toEqual(['sleep 1000']);
    const other = await world.runtime.top(box.id, '-o pid,comm');
    expect(other).toEqual({ titles: ['PID', 'COMMAND'], processes: [[String(box.pid), 'sleep']] });
    await expect(world.runtime.top(box.id, '-o comm')).rejects.toThrow("Couldn't find PID field");
    await expect(world.runtime.top(box.id, '-o ppid=PID')).rejects.toThrow('is not allowed');
  });

  test('usage moves with what the container does', async () => {
    const before = world.runtime.usage(box.id);
    await run(['sh', '-c', 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done']);
    const after = world.runtime.usage(box.id);
    if (!before || !after) throw new Error('no usage');
    expect(after.cpuNanoseconds).toBeGreaterThan(before.cpuNanoseconds + 10_000_000);
    expect(after.hostCpuNanoseconds).toBeGreaterThanOrEqual(before.hostCpuNanoseconds);
    expect(after.memoryLimitBytes).toBe(64 << 20);
    expect(after.memoryBytes).toBeGreaterThan(0);
    expect(after.pids).toBe(1);
    expect(world.runtime.usage('0'.repeat(64))).toBeUndefined();
  });

  test('update changes the limits of a running container', async () => {
    await world.runtime.update(box.id, {
      ...box.box.hostConfig,
      Memory: 32 << 20,
      MemorySwap: 64 << 20,
      CpuShares: 256,
    });
    expect(world.runtime.usage(box.id)?.memoryLimitBytes).toBe(32 << 20);
    expect(
      (
        await run(['sh', '-c', 'cat /sys/fs/cgroup/cpu/cpu.shares || cat /sys/fs/cgroup/cpu.weight'])
      ).out.trim(),
    ).toMatch(/^(256|10)$/);
  });
});

/** Containers' lives, watched: create, start, streams, exit, signals, pause, removal, adoption. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify, isAlive } from '../../src/kernel/processes.js';
import { launch } from '../../src/runtime/conmon.js';
import { StartError } from '../../src/runtime/failure.js';
import { until } from '../support/run.js';
import { container, makeWorld, readAll, type World } from './runtime-world.js';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

const stateOf = (pid: number): string =>
  /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

describe('life', () => {
  test('output of both streams and the exit code come out whole', async () => {
    const { exit, out, err } = await world.shell('echo hello; echo oops >&2; exit 3');
    expect([out, err, exit.exitCode, exit.oomKilled]).toEqual(['hello\n', 'oops\n', 3, false]);
    expect(Date.now() - Date.parse(exit.finishedAt)).toBeLessThan(60_000);
  });

  test('a megabyte of output is neither lost nor cut', async () => {
    const { out } = await world.shell('seq 1 150000');
    const numbers = out.trimEnd().split('\n');
    expect([numbers.length, numbers[0], numbers.at(-1)]).toEqual([150_000, '1', '150000']);
  });

  test('the process waits for start', async () => {
    const box = container(['touch', '/tmp/started']);
    await world.runtime.create(world.request(box));
    await sleep(50);
    expect(existsSync(join(world.root, 'tmp/started'))).toBe(false);
    const exited = new Promise((resolve) => world.runtime.onExit(box.id, resolve));
    await world.runtime.start(box.id);
    await exited;
    expect(existsSync(join(world.root, 'tmp/started'))).toBe(true);
    await world.runtime.delete(box.id);
  });

  test('one that was never started leaves nothing behind, not even an end', async () => {
    const box = container(['true']);
    const { pid } = await world.runtime.create(world.request(box));
    expect(pid).toBeGreaterThan(0);
    await world.runtime.delete(box.id);
    expect(world.runtime.adopt(box.id)).toBeUndefined();
  });

  test('a missing command is refused in words the docker client knows, exit code 127', async () => {
    const box = container(['nonsense']);
    const refused = await world.runtime.create(world.request(box)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StartError);
    expect(refused).toMatchObject({ kind: 'invalid', exitCode: 127 });
    expect(String(refused)).toContain('executable file not found in $PATH');
    expect(existsSync(join(world.base, 'run', box.id))).toBe(false);
  });

  test('a file that may not be run is refused with exit code 126', async () => {
    const refused = await world.runtime
      .create(world.request(container(['/noexec/file'])))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'invalid', exitCode: 126 });
    expect(String(refused)).toMatch(/permission denied/i);
  });

  test('an absolute command that is not there is refused with exit code 127', async () => {
    const refused = await world.runtime
      .create(world.request(container(['/bin/nowhere'])))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'invalid', exitCode: 127 });
  });

  test('signals arrive; SIGKILL gives 137', async () => {
    const trapping = await world.launch([
      'sh',
      '-c',
      'trap "exit 7" USR1; echo up; while :; do sleep 0.1; done',
    ]);
    await new Promise((resolve) => trapping.streams.stdout.once('data', resolve));
    await world.runtime.kill(trapping.id, 10);
    expect((await trapping.exited).exitCode).toBe(7);
    await expect(world.runtime.kill(trapping.id, 9)).rejects.toMatchObject({ kind: 'conflict' });
    const sleeping = await world.launch(['sleep', '100']);
    await world.runtime.kill(sleeping.id, 9);
    expect((await sleeping.exited).exitCode).toBe(137);
  });

  test('pause stops and resume goes on; a paused container can be killed', async () => {
    const { id, exited } = await world.launch(['sleep', '100']);
    await world.runtime.pause(id);
    await world.runtime.pause(id);
    expect(world.runtime.isPaused(id)).toBe(true);
    await world.runtime.resume(id);
    await world.runtime.resume(id);
    expect(world.runtime.isPaused(id)).toBe(false);
    await world.runtime.pause(id);
    await world.runtime.kill(id, 9);
    expect((await exited).exitCode).toBe(137);
  });

  test('delete of a running container leaves no process, cgroup, state or bundle; its log stays until forget', async () => {
    const { id, pid } = await world.launch(['sh', '-c', 'echo kept; sleep 100 & sleep 100']);
    await sleep(50);
    await world.runtime.delete(id);
    expect(existsSync(`/proc/${pid}/ns`)).toBe(false);
    const cgroups = readdirSync('/sys/fs/cgroup').filter((name) =>
      existsSync(join('/sys/fs/cgroup', name, 'viaduct', id)),
    );
    expect(cgroups).toEqual([]);
    expect(existsSync(join(world.base, 'run', id))).toBe(false);
    expect(existsSync(join(world.base, 'run/.states', id))).toBe(false);
    expect(readFileSync(join(world.base, 'logs', id, 'container.log'), 'utf8')).toContain('kept');
    await world.runtime.forget(id);
    expect(existsSync(join(world.base, 'logs', id))).toBe(false);
  });

  test('the same container can be run again', async () => {
    const box = container(['sh', '-c', 'echo again; exit 4']);
    for (let run = 0; run < 2; run++) {
      await world.runtime.create(world.request(box));
      const exited = new Promise<{ exitCode: number }>((resolve) => world.runtime.onExit(box.id, resolve));
      await world.runtime.start(box.id);
      expect((await exited).exitCode).toBe(4);
      await world.runtime.delete(box.id);
    }
  });
});

test('a container is made when conmon’s starter has ended: it writes the pid down, at times after the answer', async () => {
  const bundle = mkdtempSync(join(tmpdir(), 'vr-'));
  const conmon = join(bundle, 'conmon');
  const late = ['#!/bin/sh', `echo '{"data": 17}' >&3`, 'exec 3>&-', 'sleep 0.3', 'touch conmon.pid'];
  writeFileSync(conmon, late.join('\n'), { mode: 0o755 });
  const context = {
    layout: { bundle: () => bundle },
    machine: { conmon, runtime: { name: 'runc', path: 'runc' } },
    limits: { create: 10_000 },
  };
  const request = { id: 'late', tty: false, stdin: false, keepStdin: false, logging: [] };
  expect(await launch(request, context as never)).toBe(17); // what of a context is asked for
  expect(existsSync(join(bundle, 'conmon.pid'))).toBe(true);
  rmSync(bundle, { recursive: true });
});

describe('K10 an OCI runtime that does not come back (a FIFO in place of /etc/passwd)', () => {
  let stuck: World;
  beforeAll(async () => {
    stuck = await makeWorld({ limits: { create: 1_000 } });
    rmSync(join(stuck.root, 'etc/passwd'));
    execFileSync('mkfifo', [join(stuck.root, 'etc/passwd')]);
  });
  afterAll(() => stuck.close());
  const nothingOf = async (id: string): Promise<void> => {
    const all = () => execFileSync('ps', ['-eo', 'stat,args'], { encoding: 'utf8' }).split('\n');
    await expect.poll(() => all().filter((line) => line.includes(id) && !line.startsWith('Z'))).toEqual([]);
    expect(readdirSync(join(stuck.base, 'run/.states'))).not.toContain(id);
    expect(existsSync(join(stuck.base, 'run', id))).toBe(false);
  };

  test('is ended after its limit, in words', async () => {
    const box = container(['true']);
    await expect(stuck.runtime.create(stuck.request(box))).rejects.toThrow(
      'the OCI runtime did not make the container within 1 seconds: it was ended',
    );
    await nothingOf(box.id);
  });
  test('is ended at once when somebody wants the container away', async () => {
    const box = container(['true']);
    const wish = new AbortController();
    const creating = stuck.runtime.create(stuck.request(box), wish.signal);
    creating.catch(() => {});
    await expect.poll(() => existsSync(join(stuck.base, 'run', box.id, 'conmon.pid'))).toBe(true);
    wish.abort();
    await expect(creating).rejects.toThrow('the start was given up');
    await nothingOf(box.id);
  });
  test('a conmon that cannot end keeps nobody from removing its container', async () => {
    const { id, pid } = await world.launch(['sleep', '1000']);
    const conmon = identify(Number(readFileSync(join(world.base, 'run', id, 'conmon.pid'), 'utf8')));
    const first = identify(pid);
    process.kill(conmon.pid, 'SIGSTOP');
    await world.runtime.delete(id);
    expect([isAlive(first), isAlive(conmon)]).toEqual([false, false]);
  });
});

describe('removal', () => {
  const left = (): string[] =>
    ['run', 'run/.states', 'logs'].flatMap((name) => {
      const directory = join(world.base, name);
      return readdirSync(directory).map((entry) => join(name, entry));
    });

  test('every name of it is free at once, every file gone when the daemon has ended', async () => {
    const runtime = await world.open();
    const box = container(['sleep', '100']);
    await runtime.create(world.request(box));
    await runtime.start(box.id);
    expect(left().filter((path) => path.endsWith(`/${box.id}`))).toHaveLength(3);
    await runtime.delete(box.id);
    await runtime.forget(box.id);
    expect(left().filter((path) => path.endsWith(`/${box.id}`))).toEqual([]);
    await runtime.close();
    expect(left().filter((path) => path.includes(box.id))).toEqual([]);
  });

  test('what a crash left of it goes with the next daemon', async () => {
    for (const name of ['run', 'run/.states', 'logs'])
      mkdirSync(join(world.base, name, '.gone-crashed-1/inner'), { recursive: true });
    const next = await world.open();
    await next.close();
    expect(left().filter((path) => path.includes('.gone-crashed'))).toEqual([]);
  });
});

describe('streams', () => {
  test('stdin reaches the process, and its end ends it (docker run -i)', async () => {
    const { streams, exited } = await world.launch(['wc', '-c'], {
      config: { OpenStdin: true, StdinOnce: true },
    });
    streams.stdin?.write('x'.repeat(100_000));
    streams.stdin?.end();
    expect((await readAll(streams.stdout)).trim()).toBe('100000');
    expect((await exited).exitCode).toBe(0);
  });

  test('without StdinOnce a client that leaves does not end the input', async () => {
    const first = await world.launch(['sh', '-c', 'read a; read b; echo "$a $b"'], {
      config: { OpenStdin: true, StdinOnce: false },
    });
    first.streams.stdin?.write('one\n');
    first.streams.stdin?.end();
    await sleep(50);
    first.streams.detach();
    const second = world.runtime.attach(first.id);
    second.stdin?.write('two\n');
    expect(await readAll(second.stdout)).toBe('one two\n');
    await first.exited;
  });

  test('with StdinOnce a watcher that leaves does not end the input of another', async () => {
    const { id, streams } = await world.launch(['sh', '-c', 'read a; echo "got $a"'], {
      config: { OpenStdin: true, StdinOnce: true },
    });
    const watcher = world.runtime.attach(id);
    watcher.detach();
    await sleep(50);
    streams.stdin?.end('it\n');
    expect(await readAll(streams.stdout)).toBe('got it\n');
  });

  test('several clients see the same output; one that does not read stops nobody at first', async () => {
    const { id, streams } = await world.launch(['sh', '-c', 'sleep 0.2; seq 1 1000']);
    const idle = world.runtime.attach(id);
    const other = world.runtime.attach(id);
    const [a, b] = await Promise.all([readAll(streams.stdout), readAll(other.stdout)]);
    expect(a).toBe(b);
    expect(a.endsWith('\n1000\n')).toBe(true);
    idle.detach();
  });

  test('attaching to what has ended is a conflict or an ended stream, never a hang', async () => {
    const { id, exited } = await world.launch(['true']);
    await exited;
    await sleep(50);
    expect(() => world.runtime.attach(id)).toThrow();
  });
});

describe('clients that lag, and input that nobody reads', () => {
  /** More than one client may lag behind, and more than the kernel keeps beside it. */
  const MUCH = 4_000_000;
  const lags = (stream: Readable) => until('the client lags', () => stream.readableLength >= 1_000_000);
  const FEED = { config: { OpenStdin: true, StdinOnce: true } };

  test.each([false, true])(
    'M2 C2: a reader that sleeps gets every byte in the end (terminal: %s)',
    async (Tty) => {
      const { id, streams, exited } = await world.launch(
        ['sh', '-c', `head -c ${MUCH} /dev/zero | tr '\\0' x`],
        {
          config: { Tty },
        },
      );
      await lags(streams.stdout);
      expect((await readAll(streams.stdout)).length).toBe(MUCH);
      expect((await exited).exitCode).toBe(0);
      await world.runtime.delete(id);
    },
  );

  test('M2: a container that waits for a client that never reads is killed, and its end is told', async () => {
    const { id, streams, exited } = await world.launch(['yes']);
    const other = world.runtime.attach(id);
    let seen = 0;
    other.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.length;
    });
    const read = new Promise((resolve) => other.stdout.once('end', resolve));
    await lags(streams.stdout);
    await world.runtime.kill(id, 9);
    expect((await exited).exitCode).toBe(137);
    await read;
    // Who reads misses nothing of what the other has waiting, and more came with the end than it was let lag before.
    expect(streams.stdout.readableLength).toBe(seen);
    await world.runtime.delete(id);
  });

  test('M2: a client that leaves while it lags lets the container go on', async () => {
    const { streams, id, exited } = await world.launch(['sh', '-c', `head -c ${MUCH} /dev/zero; exit 3`]);
    const other = world.runtime.attach(id);
    const all = readAll(other.stdout);
    await lags(streams.stdout);
    streams.detach();
    expect((await all).length).toBe(MUCH);
    expect((await exited).exitCode).toBe(3);
  });

  test('C1 U1: output is whole although the container ends without reading its input', async () => {
    for (let round = 0; round < 10; round++) {
      const { id, streams, exited } = await world.launch(['head', '-n1'], FEED);
      for (let i = 0; i < 40; i++) streams.stdin?.write(Buffer.alloc(8192, 'y\n'));
      expect(await readAll(streams.stdout)).toBe('y\n');
      expect((await exited).exitCode).toBe(0);
      // Late writes are nobody's any more.
      streams.stdin?.write('more');
      await world.runtime.delete(id);
    }
  });

  test('C1: a container that closes its input goes on to be heard', async () => {
    const { streams } = await world.launch(
      ['sh', '-c', 'exec 0<&-; sleep 0.3; echo later; sleep 0.1; echo end'],
      FEED,
    );
    for (let i = 0; i < 40; i++) streams.stdin?.write(Buffer.alloc(8192));
    expect(await readAll(streams.stdout)).toBe('later\nend\n');
  });

  test('C1: a container that does not read its input holds nobody up', async () => {
    const { id, streams } = await world.launch(['sleep', '600'], FEED);
    let taken = 0;
    for (let i = 0; i < 400; i++) streams.stdin?.write(Buffer.alloc(8192), () => taken++);
    await expect.poll(() => taken).toBeGreaterThan(0);
    await sleep(50);
    expect(taken).toBeLessThan(400);
    await world.runtime.delete(id);
  });
});

describe('terminal', () => {
  test('one stream, a real tty, resized', async () => {
    // How soon a resize is through is conmon's affair.
    const resized = 'tty; read go; until [ "$(stty size)" = "33 101" ]; do sleep 0.05; done; stty size';
    const { id, streams, exited } = await world.launch(['sh', '-c', resized], {
      config: { Tty: true, OpenStdin: true, StdinOnce: true },
    });
    expect(streams.stderr).toBeNull();
    const output = readAll(streams.stdout);
    world.runtime.resize(id, { rows: 33, columns: 101 });
    streams.stdin?.write('go\n');
    await exited;
    // The terminal may echo what was typed before `tty` runs.
    expect(await output).toMatch(/^(?=.*\/dev\/(pts\/0|console)\r\n)(?=.*go\r\n).*33 101\r\n$/s);
  });

  test('detached and attached again, the input is still there', async () => {
    const first = await world.launch(['sh', '-c', 'read a; echo "<$a>"'], {
      config: { Tty: true, OpenStdin: true, StdinOnce: true },
    });
    first.streams.detach();
    const second = world.runtime.attach(first.id);
    const output = readAll(second.stdout);
    second.stdin?.write('x\n');
    expect(await output).toContain('<x>');
  });
});

describe('after a restart of the daemon', () => {
  test('a running container is found, attached, executed in, logged, and its exit code seen', async () => {
    const { id, pid, box } = await world.launch(
      ['sh', '-c', 'echo before; read a; echo "after $a"; exit 9'],
      {
        config: { OpenStdin: true, StdinOnce: false },
      },
    );
    const second = await world.open();
    expect(second.adopt(id)).toEqual({ pid });
    const exited = new Promise<{ exitCode: number }>((resolve) => second.onExit(id, resolve));
    const exec = await second.exec(
      {
        containerId: id,
        command: ['echo', 'inside'],
        tty: false,
        attachStdin: false,
        attachStdout: true,
        attachStderr: true,
        env: [],
        user: '',
        workingDir: '',
        privileged: false,
      },
      box,
    );
    expect(await readAll(exec.streams.stdout)).toBe('inside\n');
    const streams = second.attach(id);
    streams.stdin?.write('x\n');
    expect(await readAll(streams.stdout)).toBe('after x\n');
    expect((await exited).exitCode).toBe(9);
    expect(second.adopt(id)).toMatchObject({ exit: { exitCode: 9 } });
    await second.close();
  });

  test('one that ended meanwhile gives its exit code; an unknown one nothing; a reused pid is not mistaken', async () => {
    const { id, exited } = await world.launch(['sh', '-c', 'exit 5']);
    await exited;
    const second = await world.open();
    expect(second.adopt(id)).toMatchObject({ exit: { exitCode: 5 } });
    expect(second.adopt('f'.repeat(64))).toBeUndefined();
    await second.close();
  });

  test('one that was created and never started is unknown, and can be created anew', async () => {
    const box = container(['echo', 'fresh']);
    const { pid } = await world.runtime.create(world.request(box));
    const second = await world.open();
    expect(second.adopt(box.id)).toBeUndefined();
    await second.delete(box.id);
    expect(existsSync(`/proc/${pid}/ns`)).toBe(false);
    await second.create(world.request(box));
    const streams = second.attach(box.id);
    await second.start(box.id);
    expect(await readAll(streams.stdout)).toBe('fresh\n');
    await second.delete(box.id);
    await second.close();
  });

  test('conmon killed: the container lives on, and its end is still noticed', async () => {
    const { id, pid, exited } = await world.launch(['sleep', '1']);
    const conmon = Number(readFileSync(join(world.base, 'run', id, 'conmon.pid'), 'latin1'));
    execFileSync('kill', ['-9', String(conmon)]);
    expect(world.runtime.adopt(id)).toEqual({ pid });
    expect(stateOf(pid)).toBe('S');
    expect((await exited).exitCode).toBe(255);
  }, 15_000);
});

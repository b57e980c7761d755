/** Containers in states in between: paused and half stopped, made by a runtime that hangs, ended while the daemon was dying. */
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, sleeper, inside } = phrasesFor(d);
const status = (name: string) => inspect('{{.State.Status}}', name);
const isGone = async (name: string) => (await d.docker.try(['inspect', name])).code === 1;

/** The client ends at once: what it asked for goes on. */
const abandoned = async (...args: string[]): Promise<void> => {
  await d.host(`timeout 1 docker -H unix://${d.socket} ${args.join(' ')} || true`);
};

describe('K9 every state can be left', () => {
  test.each([
    ['rm -f', ['rm', '-f', 'half'], 'gone'],
    ['stop', ['stop', '-t', '0', 'half'], 'exited'],
    ['kill', ['kill', 'half'], 'exited'],
  ])('K9 one that was paused, and whose stop was begun: %s', async (_, command, after) => {
    await sleeper('half'); // which hears no SIGTERM
    await d.docker('pause', 'half');
    await abandoned('stop', '-t', '-1', 'half');
    expect(await status('half')).toBe('running');
    expect(await inside('half', 'echo it runs')).toContain('it runs');
    await d.docker(...command);
    expect((await isGone('half')) ? 'gone' : await status('half')).toBe(after);
  });

  test.each([
    ['pause', 'pause-noted', 'paused'],
    ['unpause', 'thaw-noted', 'running'],
  ])(
    'K9 the daemon dies in the middle of %s: the next one goes on with it',
    async (command, place, after) => {
      await sleeper('half');
      if (command === 'unpause') await d.docker('pause', 'half');
      d.dieAt(place);
      expect((await d.docker.try([command, 'half'])).code).not.toBe(0);
      await d.ended();
      d.dieAt('');
      await d.start();
      expect(await status('half')).toBe(after);
      if (after === 'paused') await d.docker('unpause', 'half');
      expect(await inside('half', 'echo it runs')).toContain('it runs');
      await d.docker('pause', 'half');
      await d.docker('rm', '-f', 'half');
      expect(await isGone('half')).toBe(true);
    },
  );

  test('K9 wait, stop and rm -f of one between two restarts', async () => {
    await d.docker('run', '-d', '--name', 'again', '--restart', 'always', 'alpine', 'false');
    await until('it restarts slowly', async () => Number(await inspect('{{.RestartCount}}', 'again')) >= 3);
    await until('between two runs', async () => (await status('again')) === 'restarting');
    const waiting = d.docker('wait', 'again');
    await d.docker('stop', 'again');
    expect((await waiting).trim()).toBe('1');
    expect(await status('again')).toBe('exited');
    await d.docker('start', 'again');
    await d.docker('rm', '-f', 'again');
    expect(await isGone('again')).toBe(true);
  });
});

test('K10 an image with a FIFO in place of /etc/passwd: rm -f of another client ends its start at once', async () => {
  await d.host(`set -e; cd ${d.dataRoot}/..; rm -rf fifo; mkdir -p fifo/etc fifo/bin; mkfifo fifo/etc/passwd; touch fifo/bin/sh
    chmod 755 fifo/bin/sh; tar -C fifo -cf fifo.tar .; docker -H unix://${d.socket} import fifo.tar fifo`);
  const run = d.docker.try(['run', '--name', 'stuck', 'fifo', '/bin/sh']);
  await until('it is made', async () => !(await isGone('stuck')));
  const id = await inspect('{{.Id}}', 'stuck');
  const conmon = () => d.host(`ps -eo args | grep -c '[-]-cid=${id}' || true`);
  await until('its OCI runtime hangs', async () => Number(await conmon()) > 0);
  expect(await status('stuck')).toBe('created');
  const waiting = d.docker.try(['wait', 'stuck']);
  await d.docker('rm', '-f', 'stuck');
  expect((await run).code).toBe(125);
  expect((await run).stderr).toContain('the start was given up: the container is being removed');
  await waiting;
  expect(await isGone('stuck')).toBe(true);
  await until('nothing of it is left', async () => Number(await conmon()) === 0);
  await d.docker('rmi', 'fifo');
});

describe('records are changed from what they are', () => {
  test('M34 a rename while the container ends is not lost', async () => {
    for (let n = 0; n < 8; n += 1) {
      await d.docker('run', '-d', '--name', `before${n}`, 'alpine', 'true');
      await d.docker('rename', `before${n}`, `after${n}`);
    }
    const names = async () =>
      (await d.docker('ps', '-a', '--format', '{{.Names}} {{.State}}')).trim().split('\n');
    await until('all have ended', async () => (await names()).every((line) => line.endsWith('exited')));
    expect((await names()).sort()).toEqual(Array.from({ length: 8 }, (_, n) => `after${n} exited`));
  });

  test('M35 commit of one that was never started, and of some that end meanwhile', async () => {
    await d.docker('create', '--name', 'never', 'alpine', 'true');
    expect((await d.docker('diff', 'never')).trim()).toBe('');
    await d.docker('commit', 'never', 'committed');
    expect((await d.docker('run', '--rm', 'committed', 'echo', 'well')).trim()).toBe('well');
    for (let n = 0; n < 5; n += 1) {
      await d.docker('run', '-d', '--name', `short${n}`, 'alpine', 'sh', '-c', 'echo x >/made');
      await d.docker('commit', `short${n}`, 'committed');
    }
    await d.docker('rm', '-f', ...(await d.docker('ps', '-aq')).trim().split('\n'));
    await d.docker('rmi', 'committed');
  });

  test('M35 a container runs on after its commit', async () => {
    await sleeper('c1');
    await d.docker('commit', 'c1', 'committed');
    expect(await inside('c1', 'echo it runs')).toContain('it runs');
    await d.docker('rmi', 'committed');
  });
});

test('U10 --rm: gone after the next start where the daemon died between the end and the removal', async () => {
  await d.docker('run', '-d', '--rm', '--name', 'brief', 'alpine', 'sleep', '600');
  d.dieAt('kernel-applied');
  void d.docker.try(['kill', 'brief']);
  await d.ended();
  d.dieAt('');
  await d.start();
  await until('it is gone', () => isGone('brief'));
});

describe('F6 what comes back with the daemon', () => {
  /** As after a reboot: nothing of them runs when the daemon starts. */
  const powerCut = async (...names: string[]) => {
    const pids = await inspect('{{.State.Pid}}', ...names);
    await d.kill9();
    // Who shares a process namespace ends with its first process.
    await d.host(`kill -9 ${pids.trim().split('\n').join(' ')} || true`);
  };
  const runs = (name: string) => until(`${name} runs`, async () => (await status(name)) === 'running');

  test('F6 first what others stand on: networks, namespaces, links', async () => {
    const always = ['--restart', 'always'];
    await sleeper('zvpn', ...always);
    await sleeper('ydb', ...always, '--network', 'container:zvpn', '--ipc', 'shareable');
    await sleeper('xlog', ...always, '--pid', 'container:ydb', '--ipc', 'container:ydb');
    await sleeper('alinks', ...always, '--link', 'zvpn:vpn');
    await powerCut('zvpn', 'ydb', 'xlog', 'alinks');
    await d.start();
    for (const name of ['zvpn', 'ydb', 'xlog', 'alinks']) await runs(name);
    // At the first try, not by patience.
    expect(d.log()).not.toContain('restart with the daemon failed');
    expect(await inside('alinks', 'cat /etc/hosts')).toContain('vpn');
  });

  test('F6 a port that is taken at the start is had when it is free again; each start tries anew', async () => {
    await sleeper('web', '--restart', 'unless-stopped', '-p', '8093:80');
    await powerCut('web');
    const taker = spawn(d.world.enter[0] ?? '', [
      ...d.world.enter.slice(1),
      'socat',
      'TCP-LISTEN:8093,fork',
      'PIPE',
    ]);
    await until('somebody has the port', async () => (await d.host('ss -Hltn sport = :8093')) !== '');
    await d.start();
    await until('it could not start', async () =>
      (await inspect('{{.State.Error}}', 'web')).includes('8093'),
    );
    expect(await status('web')).toBe('restarting');
    await d.restart();
    await until('nor now', async () => (await inspect('{{.State.Error}}', 'web')).includes('8093'));
    taker.kill();
    await runs('web');
  });

  test('F6 what the user stops stays so, whatever was to be tried again', async () => {
    await sleeper('web', '--restart', 'unless-stopped', '-p', '8093:80');
    await powerCut('web');
    const taker = spawn(d.world.enter[0] ?? '', [
      ...d.world.enter.slice(1),
      'socat',
      'TCP-LISTEN:8093,fork',
      'PIPE',
    ]);
    await until('somebody has the port', async () => (await d.host('ss -Hltn sport = :8093')) !== '');
    await d.start();
    await until('it is tried again', async () => (await status('web')) === 'restarting');
    await d.docker('stop', 'web');
    taker.kill();
    expect(await status('web')).toBe('exited');
    await d.restart();
    expect(await status('web')).toBe('exited');
  });
});

describe('execs and versions', () => {
  test('C31 exec in a directory that is not there: runc’s words, exit code 126', async () => {
    await sleeper('c1');
    const { code, stdout, stderr } = await d.docker.try(['exec', '-w', '/nonexist', 'c1', 'true']);
    expect(code).toBe(126);
    expect(stdout + stderr).toContain(
      'OCI runtime exec failed: exec failed: chdir to cwd ("/nonexist") set in config.json failed: no such file or directory',
    );
  });

  test('M37 an exec: its pid at once, no TERM without a terminal, unknown users refused, gone with its container', async () => {
    await d.docker('run', '-dt', '--name', 'c1', '--stop-timeout', '0', 'alpine', 'sleep', '600');
    expect(await d.docker('exec', 'c1', 'env')).not.toContain('TERM=');
    const make = async (body: object) =>
      (await d.api('POST', '/containers/c1/exec', body)).json as { Id: string };
    const { Id } = await make({ Cmd: ['sleep', '60'] });
    await d.api('POST', `/exec/${Id}/start`, { Detach: true });
    const { json } = await d.api('GET', `/exec/${Id}/json`);
    expect((json as { Pid: number }).Pid).toBeGreaterThan(1);
    const nobody = await make({ Cmd: ['true'], User: 'nosuchuser', AttachStdout: true });
    // Attached, the header is out before that is known (C10), and the client is told in the stream.
    expect((await d.api('POST', `/exec/${nobody.Id}/start`, { Detach: true })).status).toBe(400);
    await d.docker('rm', '-f', 'c1');
    expect((await d.api('GET', `/exec/${Id}/json`)).status).toBe(404);
  });

  test('C34 the engine’s version is moby’s that it matches; its own is a component', async () => {
    const version = JSON.parse(await d.docker('version', '--format', '{{json .Server}}')) as {
      Version: string;
      Components: { Name: string; Version: string }[];
    };
    expect(Number(version.Version.split('.')[0])).toBeGreaterThanOrEqual(28);
    expect(version.Components.find(({ Name }) => Name === 'Viaduct')?.Version).toMatch(/^0\./);
    expect(await d.docker('info', '--format', '{{.ServerVersion}}')).toContain(version.Version);
    expect(await d.docker('version')).toMatch(/Viaduct:\n\s+Version:\s+0\./);
  });
});

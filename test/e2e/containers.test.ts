/** The client's everyday commands on containers, their host names and addresses. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CLIENTS } from '../support/daemon.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, addressOf, address6Of, sleeper, inside, ping } = phrasesFor(d);

/** A client that goes on talking; collects what it says. */
const talk = (...args: string[]) => {
  const env = { ...process.env, DOCKER_HOST: `unix://${d.socket}` };
  const child = spawn(CLIENTS[0] ?? 'docker', args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const ended = new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? -1)));
  return {
    said: () => said,
    type: (text: string) => child.stdin.write(text),
    end: () => child.stdin.end(),
    ended,
    kill: () => child.kill('SIGKILL'),
  };
};

describe('E1 run', () => {
  test('E1 output, errors and exit code are the command’s', async () => {
    const result = await d.docker.try([
      'run',
      '--rm',
      'alpine',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ]);
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
    expect(await d.docker('ps', '-aq')).toBe('');
  });
  test('E1 125 for a refused request, 127 for a missing command, 126 for one that cannot run', async () => {
    expect((await d.docker.try(['run', '--rm', '--network', 'nowhere', 'alpine', 'true'])).code).toBe(125);
    const missing = await d.docker.try(['run', '--rm', 'alpine', 'no-such-command']);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('no-such-command');
    expect((await d.docker.try(['run', '--rm', 'alpine', '/etc'])).code).toBe(126);
  });
  test('E1 -i feeds standard input until its end', async () => {
    const text = 'line\n'.repeat(20_000);
    const counted = await d.docker.try(['run', '--rm', '-i', 'alpine', 'wc', '-c'], { input: text });
    expect(counted.stdout.trim()).toBe(String(text.length));
  });
  test('E1 -it gives a terminal of the client’s size', async () => {
    const { code, stdout } = await d.docker.terminal(
      ['run', '--rm', '-it', 'alpine', 'sh'],
      'tty; stty size; exit 3\n',
    );
    expect(stdout).toContain('/dev/pts/0');
    expect(stdout).toContain('33 101');
    expect(code).toBe(3);
  });
  test('E1 a log driver is there, or is told not to be', async () => {
    const make = (...flags: string[]) => d.docker.try(['create', ...flags, 'alpine', 'true']);
    const shown = async (id: string) =>
      JSON.parse(await d.docker('inspect', '--format', '{{json .HostConfig.LogConfig}}', id.trim()));
    const options = await make('--log-opt', 'max-file=100');
    expect(await shown(options.stdout)).toEqual({ Type: 'json-file', Config: { 'max-file': '100' } });
    const other = await make('--log-driver', 'syslog');
    expect(other.stderr).toContain('The log driver syslog is not supported: the log is kept in a file');
    expect((await shown(other.stdout)).Type).toBe('syslog');
    const none = await make('--log-driver', 'asdf');
    expect(none.stderr).toContain("logger: no log driver named 'asdf' is registered");
    expect(none.code).toBe(1);
    expect((await make('--log-driver', 'local')).stderr).toBe('');
  });
  test('E1 environment, user, working directory, entry point', async () => {
    const flags = ['-e', 'A=b c', '-u', '1000:1000', '-w', '/tmp', '--entrypoint', 'sh'];
    expect(await d.docker('run', '--rm', ...flags, 'alpine', '-c', 'echo "$A"; id -u; pwd')).toBe(
      'b c\n1000\n/tmp',
    );
  });
  test('E1 limits and security', async () => {
    const flags = [
      '--memory',
      '64m',
      '--pids-limit',
      '50',
      '--cap-drop',
      'ALL',
      '--read-only',
      '--tmpfs',
      '/scratch',
      '--ulimit',
      'nofile=100:200',
    ];
    const script = 'ulimit -n; grep CapEff /proc/self/status; touch /x 2>&1; touch /scratch/x && echo wrote';
    const said = await d.docker('run', '--rm', ...flags, 'alpine', 'sh', '-c', script);
    expect(said).toContain('100\n');
    expect(said).toMatch(/CapEff:\s+0000000000000000/);
    expect(said).toContain('Read-only file system');
    expect(said).toContain('wrote');
  });
});

describe('E1 life', () => {
  test('E1 start, stop, restart, kill, rm, and what ps says meanwhile', async () => {
    const id = await d.docker(
      'run',
      '-d',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'trap "exit 5" TERM; while :; do sleep 0.1; done',
    );
    const status = () => d.docker('ps', '-a', '--format', '{{.ID}} {{.Names}} {{.Image}} {{.Status}}');
    expect(await status()).toMatch(new RegExp(`^${id.slice(0, 12)} c1 alpine Up .*second`));
    await d.docker('stop', 'c1');
    expect(await status()).toContain('Exited (5)');
    await d.docker('start', 'c1');
    const pid = await inspect('{{.State.Pid}}', 'c1');
    await d.docker('restart', 'c1');
    expect(await inspect('{{.State.Pid}}', 'c1')).not.toBe(pid);
    await d.docker('kill', 'c1');
    expect(await status()).toContain('Exited (137)');
    expect(await d.docker('rm', 'c1')).toBe('c1');
    expect(await status()).toBe('');
  });
  test('E1 a running container is not removed without -f, a name not given twice', async () => {
    await sleeper('c1');
    const refused = await d.docker.try(['rm', 'c1']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /container is running|cannot remove a running container|You cannot remove a running container/,
    );
    const twice = await d.docker.try(['run', '--name', 'c1', 'alpine', 'true']);
    expect(twice.code).toBe(125);
    expect(twice.stderr).toContain('Conflict. The container name "/c1" is already in use by container');
  });
  test('E1 wait answers the exit code', async () => {
    await d.docker('run', '-d', '--name', 'c1', 'alpine', 'sh', '-c', 'sleep 0.5; exit 9');
    expect(await d.docker('wait', 'c1')).toBe('9');
  });
  test('E1 pause stops the processes, unpause lets them go on', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'i=0; while :; do i=$((i+1)); echo tick-$i > /now; sleep 0.05; done',
    );
    const now = () =>
      d.docker.try(['cp', 'c1:/now', '-']).then(({ stdout }) => /tick-\d+/.exec(stdout)?.[0] ?? '');
    await until('it writes', async () => (await now()) !== '');
    await d.docker('pause', 'c1');
    expect(await d.docker('ps', '--format', '{{.Status}}')).toContain('(Paused)');
    const before = await now();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await now()).toBe(before);
    await d.docker('unpause', 'c1');
    await until('it writes again', async () => (await now()) !== before);
  });
  test('E1 health checks: starting, healthy, unhealthy, by a shell that the image need not name', async () => {
    const check = ['--health-interval', '200ms', '--health-retries', '2', '--health-timeout', '5s'];
    await d.docker(
      'run',
      '-d',
      '--name',
      'c1',
      ...check,
      '--health-cmd',
      'test -e /well && echo fine',
      'alpine',
      'sleep',
      '600',
    );
    expect(['starting', 'unhealthy']).toContain(await inspect('{{.State.Health.Status}}', 'c1'));
    const becomes = (status: string) =>
      until(status, async () => (await inspect('{{.State.Health.Status}}', 'c1')) === status);
    await becomes('unhealthy');
    expect(Number(await inspect('{{.State.Health.FailingStreak}}', 'c1'))).toBeGreaterThanOrEqual(2);
    await inside('c1', 'touch /well');
    await becomes('healthy');
    expect(await inspect('{{(index .State.Health.Log 0).ExitCode}}', 'c1')).toMatch(/^[01]$/);
    expect(await d.docker('ps', '--format', '{{.Status}}')).toContain('(healthy)');
    expect(await d.docker('ps', '-q', '--filter', 'health=healthy')).not.toBe('');
    await inside('c1', 'rm /well');
    await becomes('unhealthy');
  });
  test('M1 a probe that takes too long is ended with all it started; the daemon and its neighbours live', async () => {
    const check = ['--health-interval', '100ms', '--health-retries', '1', '--health-timeout', '50ms'];
    const probe = 'echo half a word; sleep 777 & sleep 778';
    const sleeps = 'sleep 600 & while :; do wait; sleep 1; done';
    await d.docker(
      'run',
      '-d',
      '--name',
      'c1',
      ...check,
      '--health-cmd',
      probe,
      'alpine',
      'sh',
      '-c',
      sleeps,
    );
    const pid = d.pid();
    const log = '{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}{{end}}';
    await until('unhealthy', async () => (await inspect('{{.State.Health.Status}}', 'c1')) === 'unhealthy');
    // However early the end comes: before it has a pid, or after it has spoken.
    await until('all it remembers', async () => {
      const told = (await inspect(log, 'c1')).match(/-1 Health check exceeded timeout \(50ms\)/g);
      return told?.length === 5;
    });
    await until('none of them is left but the one of now', async () => {
      const probes = (await d.docker('top', 'c1', '-eo', 'pid,args')).match(/sleep 77[78]/g) ?? [];
      return probes.length <= 2;
    });
    expect(d.pid()).toBe(pid);
    // M36: what the container was given or its image has is told.
    expect(await inspect('{{json .Config.Healthcheck.Test}}', 'c1')).toContain('half a word');
    await d.docker('pause', 'c1');
    await d.docker('unpause', 'c1');
    const last = '{{(index .State.Health.Log 4).Start}}';
    const before = await inspect(last, 'c1');
    await until('it is probed on after a pause', async () => (await inspect(last, 'c1')) !== before);
  });
  test('U2 M33 --entrypoint "" drops the image’s entry point', async () => {
    expect((await d.docker('run', '--rm', '--entrypoint', '', 'alpine', 'echo', 'hi')).trim()).toBe('hi');
    await d.docker('create', '--name', 'c1', '--entrypoint', '', 'alpine', 'echo', 'hi');
    expect(await inspect('{{json .Config.Entrypoint}}', 'c1')).toBe('null');
    const refused = await d.docker.try(['create', '--entrypoint', '', 'alpine']);
    expect(refused.stderr).toContain('no command specified');
  });
  test('E1 rename', async () => {
    await sleeper('old');
    await d.docker('rename', 'old', 'new');
    expect(await inspect('{{.Name}}', 'new')).toBe('/new');
    expect((await d.docker.try(['inspect', 'old'])).code).toBe(1);
  });
  test('E1 restart policies: on-failure counts, always comes back, a stop is a stop', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'failing',
      '--restart',
      'on-failure:2',
      'alpine',
      'sh',
      '-c',
      'exit 1',
    );
    await until(
      'two restarts',
      async () => (await inspect('{{.RestartCount}} {{.State.Status}}', 'failing')) === '2 exited',
      15_000,
    );
    await d.docker('run', '-d', '--name', 'steady', '--restart', 'always', 'alpine', 'sleep', '600');
    const pid = await inspect('{{.State.Pid}}', 'steady');
    process.kill(Number(pid), 'SIGKILL');
    await until('it runs again', async () => {
      const now = await inspect('{{.State.Pid}} {{.State.Running}}', 'steady');
      return now.endsWith(' true') && !now.startsWith(`${pid} `);
    });
    await d.docker('stop', '-t', '0', 'steady');
    expect(await inspect('{{.State.Status}}', 'steady')).toBe('exited');
  });
});

describe('E1 looking inside', () => {
  test('E1 exec: exit code, input, environment, user, detached', async () => {
    await sleeper('c1');
    expect((await d.docker.try(['exec', 'c1', 'sh', '-c', 'exit 4'])).code).toBe(4);
    expect((await d.docker.try(['exec', '-i', 'c1', 'cat'], { input: 'hello' })).stdout).toBe('hello');
    expect(
      await d.docker('exec', '-e', 'X=1', '-u', 'nobody', '-w', '/tmp', 'c1', 'sh', '-c', 'echo $X; pwd'),
    ).toBe('1\n/tmp');
    await d.docker('exec', '-d', 'c1', 'touch', '/made');
    await until(
      'the detached exec did it',
      async () => (await d.docker.try(['exec', 'c1', 'test', '-e', '/made'])).code === 0,
    );
    expect((await d.docker.try(['exec', 'c1', 'no-such-command'])).code).toBe(127);
    const { stdout } = await d.docker.terminal(['exec', '-it', 'c1', 'sh'], 'tty; exit\n');
    expect(stdout).toContain('/dev/pts/');
  });
  test('E1 attach sees output, sends input; leaving by its keys leaves it running', async () => {
    await d.docker(
      'run',
      '-d',
      '-i',
      '--name',
      'c1',
      'alpine',
      'sh',
      '-c',
      'while read line; do echo "got $line"; done',
    );
    const first = talk('attach', 'c1');
    await until('it answers', () => {
      first.type('one\n');
      return first.said().includes('got one');
    });
    first.kill();
    await first.ended;
    expect(await inspect('{{.State.Running}}', 'c1')).toBe('true');
    await d.docker('run', '-dit', '--name', 'c2', 'alpine', 'sh');
    const second = await d.docker.terminal(['attach', 'c2'], '\u0010\u0011');
    expect(second.stdout).toContain('read escape sequence');
    expect(await inspect('{{.State.Running}}', 'c2')).toBe('true');
  });
  test('M31 M32: what every container has where its image says nothing is no change of its own', async () => {
    await d.docker('create', '--name', 'bare', 'nettools', 'sleep', '600');
    await d.docker('cp', 'bare:/etc/resolv.conf', '-');
    await d.docker('start', 'bare');
    const seen = await d.docker(
      'exec',
      'bare',
      'sh',
      '-c',
      'stat -c "%n %a %s" / /.dockerenv; wc -c </etc/resolv.conf',
    );
    expect(seen).toMatch(/^\/ 755 \d+\n\/\.dockerenv \d+ 0\n[1-9]/);
    expect(await d.docker('diff', 'bare')).toBe('');
    await d.docker('exec', 'bare', 'sh', '-c', 'rm /.dockerenv; echo own >/etc/own');
    expect(await d.docker('diff', 'bare')).toBe('C /etc\nA /etc/own');
    await d.docker('rm', '-f', 'bare');
  });
  test('M32: a read-only root is read-only in /etc too; on the host’s network the name is the host’s', async () => {
    const write = 'for f in hosts hostname resolv.conf; do echo >>/etc/$f || echo no $f; done 2>/dev/null';
    expect(await d.docker('run', '--rm', '--read-only', 'alpine', 'sh', '-c', write)).toBe(
      'no hosts\nno hostname\nno resolv.conf',
    );
    expect(await d.docker('run', '--rm', '--network', 'host', 'alpine', 'cat', '/etc/hostname')).toBe(
      hostname(),
    );
  });

  test('E1 top, stats, diff', async () => {
    await sleeper('c1');
    expect(await d.docker('top', 'c1')).toMatch(/PID[\s\S]*sleep 600/);
    expect(await d.docker('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'c1')).toBe('c1 1');
    await inside('c1', 'touch /new');
    expect(await d.docker('diff', 'c1')).toContain('A /new');
  });
  test('E1 cp there and back', async () => {
    await sleeper('c1');
    const directory = mkdtempSync('/tmp/vd-cp-');
    try {
      writeFileSync(join(directory, 'file'), 'content');
      await d.docker('cp', join(directory, 'file'), 'c1:/tmp/there');
      expect(await inside('c1', 'cat /tmp/there')).toBe('content');
      await d.docker('cp', 'c1:/tmp/there', join(directory, 'back'));
      expect(readFileSync(join(directory, 'back'), 'utf8')).toBe('content');
      await inside('c1', 'ln -s /etc/passwd /tmp/link');
      await d.docker('cp', '-L', 'c1:/tmp/link', join(directory, 'link'));
      expect(readFileSync(join(directory, 'link'), 'utf8')).toBe(
        await inside('c1', 'cat /etc/passwd').then((text) => `${text}\n`),
      );
      expect((await d.docker.try(['cp', 'c1:/not/there', directory])).code).toBe(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
    expect(existsSync(directory)).toBe(false);
  });
  test('E1 events tell the story', async () => {
    const events = talk(
      'events',
      // from before it is heard: whether the client listens already, nobody tells
      ...['--since', (Date.now() / 1000).toFixed(3)],
      '--filter',
      'type=container',
      '--format',
      '{{.Action}} {{.Actor.Attributes.name}}',
    );
    await d.docker('run', '--rm', '--name', 'c1', 'alpine', 'true');
    await until('destroy was told', () => events.said().includes('destroy c1'));
    events.kill();
    const story = events.said().trim().split('\n');
    expect(story.filter((line) => /^(create|start|die|destroy) c1$/.test(line))).toEqual([
      'create c1',
      'start c1',
      'die c1',
      'destroy c1',
    ]);
  });
  test('E1 volumes: named ones keep, are filled from the image, and go with prune', async () => {
    await d.docker('run', '--rm', '-v', 'data:/data', 'alpine', 'sh', '-c', 'echo kept > /data/file');
    expect(await d.docker('run', '--rm', '-v', 'data:/data:ro', 'alpine', 'cat', '/data/file')).toBe('kept');
    await d.docker('run', '--rm', '-v', 'etc:/etc', 'alpine', 'true');
    expect(await d.docker('run', '--rm', '-v', 'etc:/copied', 'alpine', 'ls', '/copied')).toContain(
      'os-release',
    );
    expect((await d.docker('volume', 'ls', '-q')).split('\n').sort()).toEqual(['data', 'etc']);
    await d.docker('volume', 'rm', 'data', 'etc');
    expect(await d.docker('volume', 'ls', '-q')).toBe('');
  });
});

describe('E2 hostname', () => {
  test('E2 the container’s id by default, --hostname overrides', async () => {
    const id = await sleeper('c1');
    expect(await inside('c1', 'hostname')).toBe(id.slice(0, 12));
    expect(await d.docker('run', '--rm', '--hostname', 'web.example.com', 'alpine', 'hostname')).toBe(
      'web.example.com',
    );
  });
});

describe('E3 addresses', () => {
  test('E3 --ip, --ip6 and --mac-address are kept over stop, start and restart', async () => {
    await d.docker(
      'network',
      'create',
      '--ipv6',
      '--subnet',
      '10.81.0.0/24',
      '--subnet',
      'fd00:81::/64',
      'fixed',
    );
    await sleeper(
      'c1',
      '--network',
      'fixed',
      '--ip',
      '10.81.0.77',
      '--ip6',
      'fd00:81::77',
      '--mac-address',
      '02:42:00:00:00:77',
    );
    const shown = async () => [
      await addressOf('c1', 'fixed'),
      await address6Of('c1', 'fixed'),
      await inside('c1', 'cat /sys/class/net/eth0/address'),
    ];
    const expected = ['10.81.0.77', 'fd00:81::77', '02:42:00:00:00:77'];
    expect(await shown()).toEqual(expected);
    await d.docker('restart', 'c1');
    expect(await shown()).toEqual(expected);
    await d.docker('stop', 'c1');
    await d.docker('start', 'c1');
    expect(await shown()).toEqual(expected);
    expect(await inside('c1', 'ip -o addr show eth0')).toMatch(/10\.81\.0\.77\/24[\s\S]*fd00:81::77\/64/);
  });
  test('E3 an address in use is refused, one outside the subnet too', async () => {
    await d.docker('network', 'create', '--subnet', '10.81.0.0/24', 'fixed');
    await sleeper('c1', '--network', 'fixed', '--ip', '10.81.0.77');
    const used = await d.docker.try([
      'run',
      '--rm',
      '--network',
      'fixed',
      '--ip',
      '10.81.0.77',
      'alpine',
      'true',
    ]);
    expect(used.code).toBe(125);
    expect(used.stderr).toContain('Address already in use');
    expect(
      (await d.docker.try(['run', '--rm', '--network', 'fixed', '--ip', '10.82.0.1', 'alpine', 'true'])).code,
    ).toBe(125);
    expect((await ping('c1', '10.81.0.1')).code).toBe(0);
  });
  test('E3 inspect: one address a network; --format as the seeds write it', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await sleeper('c1');
    await d.docker('network', 'connect', 'mynetwork', 'c1');
    expect(await inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}', 'c1')).toMatch(
      /^(\d+\.){3}\d+ (\d+\.){3}\d+ $/,
    );
    expect(await inspect('{{json .NetworkSettings.Networks.bridge.IPAddress}}', 'c1')).toBe(
      `"${await addressOf('c1')}"`,
    );
  });
});

/** Two engines on one machine: a real dockerd lives there first, and neither takes anything of the other's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeCgroups } from '../support/cgroups.js';
import { CLIENTS, IMAGES, startDaemon, type TestDaemon } from '../support/daemon.js';
import { phrasesFor } from '../support/phrases.js';
import { startExamplePlugin } from '../support/plugin-process.js';
import { run, until } from '../support/run.js';
import { HOST, OUTSIDE, type World } from '../support/world.js';

const DOCKERD = '/usr/sbin/dockerd';
const CGROUP = `/beside-${process.pid}`;
const ADDRESS = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';

interface Other {
  readonly docker: (...args: string[]) => Promise<string>;
  /** with what it leaves in the kernel when it ends */
  end(): Promise<void>;
}

/** With its pid where dockerd writes it; that place and those of a containerd are the world's own. */
const startDockerd = async (world: World): Promise<Other> => {
  const base = join(world.base, 'dockerd');
  const host = `unix://${join(base, 'sock')}`;
  mkdirSync(base);
  writeFileSync(join(base, 'daemon.json'), '{}');
  await world.host('mount -t tmpfs tmpfs /run && mkdir -p /etc/docker && mount -t tmpfs tmpfs /etc/docker');
  await world.host('echo 0 > /proc/sys/net/ipv4/ip_forward'); // only where it switched that on does it drop by policy
  const [program = '', ...enter] = world.enter;
  const places = ['--data-root', join(base, 'data'), '--exec-root', join(base, 'run')];
  const config = ['--config-file', join(base, 'daemon.json'), '--cgroup-parent', CGROUP];
  const child: ChildProcess = spawn(program, [...enter, DOCKERD, '-H', host, ...places, ...config], {
    stdio: 'ignore',
  });
  const exited = new Promise((resolve) => child.on('exit', resolve));
  const docker = (...args: string[]): Promise<string> =>
    run(CLIENTS[0] ?? 'docker', ['-H', host, ...args], { timeoutMs: 60_000 });
  await until('dockerd answers', () => docker('version').catch(() => undefined), 30_000);
  await docker('load', '-q', '-i', join(IMAGES, 'nettools.tar'));
  return {
    docker,
    end: async () => {
      await docker('rm', '-f', ...(await docker('ps', '-aq')).split('\n').filter((id) => id !== ''));
      child.kill('SIGTERM');
      await exited;
      removeCgroups(CGROUP);
      await world.host(
        'ip link delete docker0; for f in ip ip6; do for t in nat filter raw; do nft delete table $f $t 2>/dev/null; done; done; true',
      );
    },
  };
};

const besideDockerd = async (work: (d: TestDaemon, other: Other) => Promise<void>): Promise<void> => {
  let other: Other | undefined;
  const d = await startDaemon({
    images: ['alpine', 'nettools'],
    before: async (world) => {
      other = await startDockerd(world);
    },
  });
  try {
    if (other) await work(d, other);
  } finally {
    await other?.end();
    await d.stop();
  }
};

const onPort = (d: TestDaemon, port: number) =>
  d.outside.try(`socat -u -T2 TCP:${HOST.ipv4}:${port},connect-timeout=2 -`);
const SAYS = (text: string) => ['nettools', 'socat', 'TCP-LISTEN:80,fork,reuseaddr', `SYSTEM:echo ${text}`];

test('N1 D9 bridges of its own beside docker0, ports that the other holds are taken, and both go on', async () => {
  await besideDockerd(async (d, other) => {
    const { inspect, ping, reaches } = phrasesFor(d);
    await other.docker('run', '-d', '--name', 'theirs', '-p', '8080:80', ...SAYS('theirs'));
    const theirs = await other.docker('inspect', '-f', ADDRESS, 'theirs');

    // its own default bridge, in a subnet of its own
    await d.docker('run', '-d', '--name', 'ours', '-p', '8081:80', ...SAYS('ours'));
    expect(await inspect('{{index .Options "com.docker.network.bridge.name"}}', 'bridge')).toBe('viaduct0');
    expect(await d.host('ls /sys/class/net/viaduct0/brif')).toContain('veth');
    expect(await inspect(ADDRESS, 'ours')).not.toMatch(new RegExp(`^${theirs.replace(/\.\d+$/, '')}\\.`));

    // dockerd drops what is forwarded: the log says so, and the guide's rules let it pass
    await until('the log tells it', () => d.log().includes('another firewall drops forwarded packets'));
    await d.host(`
      iptables -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
      iptables -I FORWARD -i viaduct0 -j ACCEPT
      iptables -I FORWARD -i viaduct_gw -j ACCEPT`);
    await reaches('ours', OUTSIDE.internet);
    expect((await onPort(d, 8081)).stdout).toBe('ours\n');
    expect((await onPort(d, 8080)).stdout).toBe('theirs\n');

    // a port of the other's
    const refused = await d.docker.try(['run', '-d', '--name', 'third', '-p', '8080:80', ...SAYS('third')]);
    expect(refused.stderr).toContain('8080');
    expect(refused.stderr).toMatch(/port is already allocated|address already in use/);

    // the way out of containers whose plugin names no gateway
    const plugin = await startExamplePlugin(d.world);
    try {
      await d.docker('network', 'create', '-d', 'example', '-o', 'gateway=none', 'net');
      await d.docker('run', '-d', '--name', 'inner', '--network', 'net', 'alpine', 'sleep', '600');
      expect(await d.host('ls /sys/class/net/viaduct_gw/brif')).toContain('veth');
      await until(
        'the way out by viaduct_gw',
        async () => (await ping('inner', OUTSIDE.internet)).code === 0,
      );
      await d.docker('rm', '-f', 'inner');
      await d.docker('network', 'rm', 'net');
    } finally {
      plugin.kill();
    }

    // kill -9 and a new daemon: nothing of the other's is taken over or away
    const theirWorld = () =>
      d.host(
        // without what comes by itself: the state of a carrier, a link-local address and how sure the kernel is of it
        "ip -br link show master docker0 | awk '{print $1, $3}'; ip -br addr show scope global docker0; iptables-save -t nat | grep -v '^#' | sed 's/ \\[.*//'",
      );
    const before = await theirWorld();
    await d.kill9();
    await d.start();
    expect((await onPort(d, 8081)).stdout).toBe('ours\n');
    expect((await onPort(d, 8080)).stdout).toBe('theirs\n');
    expect(await theirWorld()).toBe(before);
    await d.docker('rm', '-f', 'ours');
    expect((await onPort(d, 8080)).stdout).toBe('theirs\n');
  });
});

/** What is there is used, never taken: bridges of the administrator's under the default network and under users' (N8). */
import { afterEach, describe, expect, test } from 'vitest';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

let d: TestDaemon | undefined;
afterEach(async () => {
  await d?.kill9();
  await d?.world.remove();
  d = undefined;
});

/** `lan` is what an administrator's bridge may be: with addresses, a port, an MTU, routes and neighbours of its own. */
const MAKE_LAN = `
  ip link add lan type bridge
  ip link add port address 02:00:00:00:00:01 type veth peer name far
  ip link set port mtu 9000
  ip link set port master lan
  ip addr add 10.88.0.1/24 dev lan
  ip addr add 10.88.0.9/24 dev lan
  ip addr add fd88::1/64 dev lan nodad
  echo 2 >/proc/sys/net/ipv6/conf/lan/accept_ra # as for a host that routes and takes advertisements
  ip link set lan up
  ip link set port up
  ip link set far up
  ip route add 10.200.0.0/16 via 10.88.0.200 dev lan
  ip neigh add 10.88.0.200 lladdr 02:00:00:00:00:c8 dev lan nud permanent
  # its own address comes when the kernel has seen its carrier
  for _ in $(seq 200); do ip -6 addr show dev lan scope link | grep -q fe80 && break; sleep 0.05; done`;
/** Everything of it that somebody could change. */
const STATE = `
  ip -o addr show dev lan | sed 's/tentative//; s/valid_lft.*//; s/ *[\\]* *$//'
  ip -o link show dev lan | grep -o 'mtu [0-9]*\\|link/ether [0-9a-f:]*'
  ip route show dev lan; ip -6 route show dev lan | grep -v ff00
  ip neigh show nud permanent dev lan
  cat /sys/class/net/lan/brif/port/port_no
  cd /proc/sys/net; grep . ipv4/conf/lan/route_localnet ipv6/conf/lan/disable_ipv6 ipv6/conf/lan/accept_ra ipv6/conf/lan/accept_dad`;

const started = async (flags: readonly string[], before = MAKE_LAN): Promise<TestDaemon> => {
  d = await startDaemon({
    flags,
    images: ['alpine', 'nettools'],
    before: async (world) => void (await world.host(`set -e; ${before}`)),
  });
  return d;
};
const pools = async (daemon: TestDaemon, network: string): Promise<unknown> =>
  JSON.parse(await daemon.docker('network', 'inspect', '--format', '{{json .IPAM.Config}}', network));

describe('N8 F5: a network on a bridge that is there', () => {
  test('N8 F5 M3: its addresses are taken over, and nothing of it changes, over kill, repair, restart and removal', async () => {
    const daemon = await started([]);
    const { inside, addressOf } = phrasesFor(daemon);
    const before = await daemon.host(STATE);
    await daemon.docker(
      ...['network', 'create', '--ipv6', '-o', 'com.docker.network.bridge.name=lan', 'own'],
    );
    expect(await pools(daemon, 'own')).toEqual([
      {
        Subnet: '10.88.0.0/24',
        Gateway: '10.88.0.1',
        AuxiliaryAddresses: { 'bridge 10.88.0.9': '10.88.0.9' },
      },
      { Subnet: 'fd88::/64', Gateway: 'fd88::1' },
    ]);
    const run = ['run', '-d', '--name', 'c1', '--network', 'own', '-p', '8080:80', 'nettools'];
    await daemon.docker(...run, 'socat', 'TCP-LISTEN:80,fork,reuseaddr', 'SYSTEM:echo hello');
    expect(await addressOf('c1', 'own')).toBe('10.88.0.2');
    expect(await inside('c1', 'cat /sys/class/net/eth0/mtu')).toBe('9000');
    expect(await inside('c1', 'ping -c1 -W3 10.88.0.1 && ping -c1 -W3 fd88::1')).toMatch(
      / 1 received[\s\S]* 1 received/,
    );
    const published = () =>
      until('the port answers', async () =>
        (await daemon.host.try('socat -T2 - TCP:127.0.0.1:8080 </dev/null')).stdout.includes('hello'),
      );
    await published();
    const during = before.replace('route_localnet:0', 'route_localnet:1');
    expect(await daemon.host(STATE)).toBe(during);

    await daemon.kill9();
    await daemon.start();
    await daemon.host('nft flush ruleset');
    await published();
    expect(await daemon.host(STATE)).toBe(during);

    await daemon.terminate();
    await daemon.start();
    await published();
    expect(await daemon.host(STATE)).toBe(during);

    await daemon.docker('rm', '-f', 'c1');
    await daemon.docker('network', 'rm', 'own');
    expect(await daemon.host(STATE)).toBe(before);
    await daemon.terminate();
    expect(await daemon.host(STATE)).toBe(before);
  });

  test('N8 F5: a gateway that the bridge lacks is put there, and taken away again', async () => {
    const daemon = await started([]);
    const before = await daemon.host(STATE);
    const create = [
      'network',
      'create',
      '-o',
      'com.docker.network.bridge.name=lan',
      '--subnet',
      '10.99.0.0/24',
    ];
    await daemon.docker(...create, 'own');
    expect(await daemon.host('ip -o addr show dev lan')).toContain('10.99.0.1/24');
    await daemon.kill9();
    await daemon.start();
    expect(await daemon.host('ip -o addr show dev lan')).toContain('10.99.0.1/24');
    await daemon.docker('network', 'rm', 'own');
    expect(await daemon.host(STATE)).toBe(before);
  });

  test('N8 F5 K15: what is no bridge, a bridge that goes and comes', async () => {
    const daemon = await started([]);
    for (const name of ['eth0', 'lo']) {
      const option = `com.docker.network.bridge.name=${name}`;
      const refused = await daemon.docker.try(['network', 'create', '-o', option, 'own']);
      expect(refused.stderr).toContain(`${option}: the interface ${name} of the host is no bridge`);
    }
    await daemon.docker('network', 'create', '-o', 'com.docker.network.bridge.name=lan', 'own');
    const { sleeper, inside } = phrasesFor(daemon);
    await sleeper('c1', '--network', 'own');
    await daemon.host('ip link del lan');
    const refused = await until('a start is refused', async () => {
      const { stderr } = await daemon.docker.try(['run', '--rm', '--network', 'own', 'alpine', 'true']);
      return stderr.includes('is its administrator’s to make') && stderr;
    });
    expect(refused).toContain('the bridge lan is not there');
    await daemon.host('ip link add lan type bridge; ip addr add 10.88.0.1/24 dev lan; ip link set lan up');
    await until('the container is on the bridge again', async () =>
      (await inside('c1', 'ping -c1 -W1 10.88.0.1 || true')).includes('1 packets received'),
    );
    // it is told, not shouted: a few lines, not fifty a second
    expect(daemon.log().split('repair failed').length).toBeLessThan(15);
  });
});

describe('N8 M3 M4 M5 M18: the default network', () => {
  test('N8 M3 M18: --bridge stands on what is there', async () => {
    const flags = [
      '--bridge',
      'lan',
      '--ipv6',
      '--fixed-cidr',
      '10.88.0.128/25',
      '--fixed-cidr-v6',
      'fd88::8000/113',
    ];
    const daemon = await started(flags);
    const { addressOf, inside, sleeper } = phrasesFor(daemon);
    const before = await daemon.host(STATE);
    expect(await pools(daemon, 'bridge')).toEqual([
      { Subnet: '10.88.0.0/24', IPRange: '10.88.0.128/25', Gateway: '10.88.0.1' },
      { Subnet: 'fd88::/64', IPRange: 'fd88::8000/113', Gateway: 'fd88::1' },
    ]);
    await sleeper('c1');
    expect(await addressOf('c1')).toBe('10.88.0.128');
    expect(await inside('c1', 'ping -c1 -W3 10.88.0.1')).toContain('1 packets received');
    await daemon.kill9();
    await daemon.start();
    expect(await inside('c1', 'ping -c1 -W3 fd88::1')).toContain('1 packets received');
    expect(await daemon.host(STATE)).toBe(before);
    await daemon.docker('rm', '-f', 'c1');
    await daemon.terminate();
    expect(await daemon.host(STATE)).toBe(before.replace('route_localnet:1', 'route_localnet:0'));
  });

  test('N8 M3: a docker0 that is there keeps its address; --bip adds one', async () => {
    const make =
      'ip link add docker0 type bridge; ip addr add 192.168.176.88/24 dev docker0; ip link set docker0 up';
    const daemon = await started([], make);
    expect(await pools(daemon, 'bridge')).toEqual([
      { Subnet: '192.168.176.0/24', Gateway: '192.168.176.88' },
    ]);
    await daemon.terminate();
    await daemon.start(['--bip', '192.168.177.99/24']);
    expect(await pools(daemon, 'bridge')).toEqual([
      { Subnet: '192.168.177.0/24', Gateway: '192.168.177.99' },
    ]);
    expect(await daemon.host('ip -o -4 addr show docker0')).toMatch(/176\.88\/24[\s\S]*177\.99\/24/);
    await daemon.terminate();
    expect(await daemon.host('ip -o -4 addr show docker0')).toMatch(/^[^\n]*176\.88\/24[^\n]*$/);
  });

  test('M18: docker0 follows a new --fixed-cidr-v6; fe80::/64 is a range like any other', async () => {
    const daemon = await started(['--ipv6', '--fixed-cidr-v6', 'fd1c:aaaa::/64'], 'true');
    const on = async (range: string): Promise<string> => {
      await daemon.terminate();
      await daemon.start(['--ipv6', '--fixed-cidr-v6', range]);
      return daemon.host('ip -o -6 addr show docker0');
    };
    expect(await on('fd1c:bbbb::/64')).toMatch(/ fd1c:bbbb::1\/64 /);
    expect(await on('fd1c:bbbb::/80')).toMatch(/ fd1c:bbbb::1\/64 /);
    expect(await pools(daemon, 'bridge')).toContainEqual({
      Subnet: 'fd1c:bbbb::/64',
      IPRange: 'fd1c:bbbb::/80',
      Gateway: 'fd1c:bbbb::1',
    });
    expect(await on('fe80::/64')).not.toContain('fd1c');
    await phrasesFor(daemon).sleeper('c1');
    expect(await phrasesFor(daemon).address6Of('c1')).toMatch(/^fe80::/);
    await daemon.docker('rm', '-f', 'c1');
    expect(await on('fe80:1237::/32')).toMatch(/ fe80:1237::1\/32 /);
    // a bridge of the user's has the kernel's own address there
    await daemon.terminate();
    await daemon.host('ip link add lan type bridge; ip link set lan up');
    await until(
      'the kernel’s address is there',
      async () => (await daemon.host('ip -6 addr show lan')) !== '',
    );
    await daemon.start(['--bridge', 'lan', '--ipv6', '--fixed-cidr-v6', 'fe80::/64']);
    const own = (await daemon.host('ip -o -6 addr show lan')).match(/fe80::[0-9a-f:]+/)?.[0];
    expect(await pools(daemon, 'bridge')).toContainEqual(
      expect.objectContaining({ Subnet: 'fe80::/64', Gateway: own }),
    );
  });

  test('N8 M4: contradictions and a bridge that is not there refuse to start, in one sentence', async () => {
    const daemon = await started([]);
    await daemon.terminate();
    for (const [flags, message] of [
      [['--bridge', 'nosuch'], /^viaductd: --bridge nosuch: there is no such bridge on this host: .*$/m],
      [['--bridge', 'eth0'], /^viaductd: --bridge=eth0: the interface eth0 of the host is no bridge.*$/m],
      [
        ['--bridge', 'lan', '--ipv6', '--fixed-cidr-v6', 'fd88::/60'],
        /^viaductd: --fixed-cidr-v6=fd88::\/60 is outside any subnet that the addresses of the bridge name$/m,
      ],
    ] as const) {
      await expect(daemon.start(flags)).rejects.toThrow(/ended with exit code 1:/);
      await until('the log tells it', () => message.test(daemon.log()));
    }
  });

  test('M5: with --bridge none a container on the default network has lo alone', async () => {
    const daemon = await started([]);
    const { inside, sleeper } = phrasesFor(daemon);
    await daemon.docker('create', '--name', 'before', 'alpine', 'ls', '/sys/class/net');
    await daemon.terminate();
    await daemon.start(['--bridge', 'none']);
    for (const flags of [[], ['--network', 'bridge']]) {
      await sleeper('c1', ...flags);
      expect(await inside('c1', 'ls /sys/class/net')).toBe('lo');
      await daemon.docker('rm', '-f', 'c1');
    }
    expect(await daemon.docker('start', '-a', 'before')).toBe('lo');
    expect(await daemon.docker('network', 'ls', '--format', '{{.Name}}')).toBe('host\nnone');
    await daemon.terminate();
    await daemon.start([]);
    expect(await daemon.docker('start', '-a', 'before')).toBe('eth0\nlo');
  });
});

/** Published ports: every form of -p, what shows them, who reaches them, and who does not. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, peerOf, phrasesFor, TELL_PEER, TELL_PEER_UDP } from '../support/phrases.js';
import { until } from '../support/run.js';
import { knowManyPorts } from '../support/stands.js';
import { HOST, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });
const { inspect, addressOf, address6Of, sleeper, server } = phrasesFor(d);

/** The first line a TCP server says; empty: nobody answered. */
const tcp = (address: string, port: number) =>
  `socat -u -T2 TCP:${address.includes(':') ? `[${address}]` : address}:${port},connect-timeout=2 - 2>/dev/null`;
/** Three tries: on a busy machine the answering shell may take longer than socat waits for a datagram. */
const udp = (address: string, port: number) => {
  const peer = `UDP:${address.includes(':') ? `[${address}]` : address}:${port}`;
  return `for n in 1 2 3; do r=$(echo x | socat -T1 - ${peer} 2>/dev/null); [ -z "$r" ] || { echo "$r"; break; }; done`;
};
const from = {
  host: async (command: string) => (await d.host.try(command)).stdout.trim(),
  outside: async (command: string) => (await d.outside.try(command)).stdout.trim(),
  container: async (name: string, command: string) =>
    (await d.docker.try(['exec', name, 'sh', '-c', command])).stdout.trim(),
};
/** Waits until the server in the container listens, so that silence afterwards means something. */
const listening = (name: string) =>
  until(`${name} listens`, async () => (await from.container(name, 'ss -Hltun sport = :80')) !== '');

knowManyPorts();

describe('P1 publish', () => {
  test('P1 the seeds’ table: -p 8080:80 in all its forms', async () => {
    await server('plain', '-p', '8080:80');
    await server('one-address', '-p', `${HOST.second}:8081:80`);
    await d.docker('run', '-d', '--name', 'udp', '-p', '8082:80/udp', 'nettools', ...TELL_PEER_UDP);
    await server('both', '-p', '8083:80/tcp', '-p', '8083:80/udp');
    await listening('udp');
    expect(peerOf(await from.outside(tcp(HOST.ipv4, 8080)))).toBe(OUTSIDE.ipv4);
    expect(await from.outside(tcp(HOST.second, 8081))).not.toBe('');
    expect(await from.outside(tcp(HOST.ipv4, 8081))).toBe('');
    expect(peerOf(await from.outside(udp(HOST.ipv4, 8082)))).toBe(OUTSIDE.ipv4);
    expect(await from.outside(tcp(HOST.ipv4, 8083))).not.toBe('');
    const ports = (name: string) => d.docker('ps', '--filter', `name=${name}`, '--format', '{{.Ports}}');
    expect(await ports('plain')).toBe('0.0.0.0:8080->80/tcp, [::]:8080->80/tcp');
    expect(await ports('one-address')).toBe(`${HOST.second}:8081->80/tcp`);
    expect(await ports('udp')).toBe('0.0.0.0:8082->80/udp, [::]:8082->80/udp');
    expect(await d.docker('port', 'plain')).toBe('80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080');
    expect(await d.docker('port', 'plain', '80')).toBe('0.0.0.0:8080\n[::]:8080');
    expect(JSON.parse(await inspect('{{json .NetworkSettings.Ports}}', 'plain'))).toEqual({
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
    });
  });
  test('P1 nginx behind 8000 and behind two ports at once', async () => {
    await d.docker('run', '-d', '--name', 'web', '-p', '8080:80', '-p', '8888:80', '-p', '8443:443', 'nginx');
    await until('nginx answers', async () => (await d.host.try('curl -s http://localhost:8080/')).code === 0);
    for (const port of [8080, 8888])
      expect(await d.host(`curl -s http://localhost:${port}/`)).toContain('Welcome to nginx!');
    expect(await d.outside(`curl -sk https://${HOST.ipv4}:8443/`)).toContain('Welcome to nginx!');
  });
  test('P1 ranges, and a host port that the daemon chooses', async () => {
    await server('ranged', '-p', '7000-7004:80-84', '-p', '80');
    expect(await from.outside(tcp(HOST.ipv4, 7000))).not.toBe('');
    const port = Number(
      (await d.docker('port', 'ranged', '80/tcp'))
        .split('\n')
        .map((l) => l.split(':').pop())
        .find((p) => p !== '7000'),
    );
    expect(port).toBeGreaterThan(32767);
    expect(await from.outside(tcp(HOST.ipv4, port))).not.toBe('');
    expect(await d.docker('port', 'ranged', '84/tcp')).toContain('0.0.0.0:7004');
  });
  test('P1 IPv6, to an IPv6 network and to an IPv4 one', async () => {
    await d.docker('network', 'create', '--ipv6', '--subnet', 'fd00:91::/64', 'six');
    await server('six', '--network', 'six', '-p', '8090:80');
    await server('four', '-p', '8091:80');
    expect(peerOf(await from.outside(tcp(HOST.ipv6, 8090)))).toBe(OUTSIDE.ipv6);
    expect(await from.outside(tcp(HOST.ipv6, 8091))).not.toBe('');
  });
  test('P1 a stop closes the port, a start opens it again, rm lets it go', async () => {
    await server('web', '-p', '8080:80');
    await d.docker('stop', 'web');
    expect(await from.outside(tcp(HOST.ipv4, 8080))).toBe('');
    await d.docker('start', 'web');
    await listening('web');
    expect(await from.outside(tcp(HOST.ipv4, 8080))).not.toBe('');
    await d.docker('rm', '-f', 'web');
    await server('next', '-p', '8080:80');
  });
});

describe('P2 publish all', () => {
  test('P2 -P maps what the image exposes to ephemeral ports', async () => {
    await d.docker('run', '-d', '-P', '--name', 'web', 'nginx');
    const [http, https] = [await d.docker('port', 'web', '80'), await d.docker('port', 'web', '443')];
    const port = Number(http.split('\n')[0]?.split(':').pop());
    expect(port).toBeGreaterThan(32767);
    expect(https).not.toBe(http);
    await until(
      'nginx answers',
      async () => (await d.host.try(`curl -s http://localhost:${port}/`)).code === 0,
    );
    expect(await d.docker('ps', '--format', '{{.Ports}}')).toMatch(/0\.0\.0\.0:\d+->80\/tcp/);
  });
  test('P2 --expose adds to what -P publishes; without -P it only shows', async () => {
    await sleeper('c1', '--expose', '9000/udp', '-P');
    expect(await d.docker('port', 'c1', '9000/udp')).toMatch(/^0\.0\.0\.0:\d+/);
    await d.docker('run', '-d', '--name', 'c2', 'nginx');
    expect(await d.docker('ps', '--filter', 'name=c2', '--format', '{{.Ports}}')).toBe('80/tcp, 443/tcp');
    expect(await d.docker('port', 'c2')).toBe('');
  });
});

describe('P3 one port, one owner', () => {
  const refused = 'port is already allocated';
  test('P3 a second container on a taken port does not start', async () => {
    await server('first', '-p', '8080:80');
    const second = await d.docker.try([
      'run',
      '-d',
      '--name',
      'second',
      '-p',
      '8080:80',
      'alpine',
      'sleep',
      '600',
    ]);
    expect(second.code).toBe(125);
    expect(second.stderr).toContain('Bind for 0.0.0.0:8080 failed');
    expect(second.stderr).toContain(refused);
    expect(await inspect('{{.State.Status}}', 'second')).toBe('created');
    expect(await from.outside(tcp(HOST.ipv4, 8080))).not.toBe('');
  });
  test('P3 neither does one on a port that a program of the host holds', async () => {
    // until somebody calls it
    const program = d.host('timeout 60 socat -u TCP-LISTEN:8085,reuseaddr -');
    await until('the program listens', async () => (await from.host('ss -Hltn sport = :8085')) !== '');
    const taken = await d.docker.try(['run', '--rm', '-p', '8085:80', 'alpine', 'true']);
    expect(taken.code).toBe(125);
    expect(taken.stderr).toMatch(/port is already allocated|address already in use/);
    await d.host('socat -u OPEN:/dev/null TCP:127.0.0.1:8085');
    await program;
  });
  test('P3 a published port is held against programs of the host', async () => {
    await server('web', '-p', '8080:80');
    const program = await d.host.try('timeout 2 socat TCP-LISTEN:8080 SYSTEM:true');
    expect(program.stderr).toContain('Address already in use');
  });
  test('P3 one port on two addresses has two owners', async () => {
    await server('aa', '-p', `${HOST.ipv4}:8080:80`);
    await server('bb', '-p', `${HOST.second}:8080:80`);
    expect(await from.outside(tcp(HOST.ipv4, 8080))).not.toBe('');
    expect(await from.outside(tcp(HOST.second, 8080))).not.toBe('');
  });
});

describe('P4 reachable from everywhere it should be', () => {
  test('P4 from the host by every address, from outside, from other networks, from itself', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await d.docker('network', 'create', 'other');
    await server('web', '--network', 'mynetwork', '-p', '8080:80');
    await d.docker('run', '-d', '--name', 'elsewhere', '--network', 'other', 'nettools', 'sleep', '600');
    for (const address of ['127.0.0.1', '::1', HOST.ipv4, HOST.second, HOST.ipv6, '172.17.0.1']) {
      expect([address, await from.host(tcp(address, 8080))]).not.toEqual([address, '']);
    }
    expect(await from.outside(tcp(HOST.ipv4, 8080))).not.toBe('');
    expect(await from.container('elsewhere', tcp(HOST.ipv4, 8080))).not.toBe('');
    expect(await from.container('web', tcp(HOST.ipv4, 8080))).not.toBe('');
    expect(await from.container('elsewhere', tcp(await addressOf('web', 'mynetwork'), 80))).toBe('');
  });
  test('P4 a port on 127.0.0.1 is the host’s alone, whatever the LAN tries', async () => {
    await server('web', '-p', '127.0.0.1:8080:80');
    await d.docker('run', '-d', '--name', 'neighbour', 'nettools', 'sleep', '600');
    expect(await from.host(tcp('127.0.0.1', 8080))).not.toBe('');
    expect(await from.outside(tcp(HOST.ipv4, 8080))).toBe('');
    await d.outside(
      `ip route add 127.0.0.1/32 via ${HOST.ipv4} table 77 && ip rule add to 127.0.0.1 lookup 77 pref 1 || true; sysctl -qw net.ipv4.conf.all.route_localnet=1`,
    );
    expect(await from.outside(tcp('127.0.0.1', 8080))).toBe('');
    await d.outside(`ip rule del to 127.0.0.1 lookup 77; ip route flush table 77`);
    await d.outside(`ip route add ${await addressOf('web')}/32 via ${HOST.ipv4}`);
    expect(await from.outside(tcp(await addressOf('web'), 80))).toBe('');
    await d.outside(`ip route del ${await addressOf('web')}/32`);
  });
  test('P4 UDP from the host and from outside', async () => {
    await d.docker('run', '-d', '--name', 'udp', '-p', '8082:80/udp', 'nettools', ...TELL_PEER_UDP);
    await listening('udp');
    for (const address of ['127.0.0.1', HOST.ipv4]) expect(await from.host(udp(address, 8082))).not.toBe('');
    expect(await from.outside(udp(HOST.ipv4, 8082))).not.toBe('');
  });
});

describe('N F7 M11: addresses that no packet can be routed from', () => {
  const linkLocal = async () =>
    (await d.host(`ip -6 -o addr show dev eth0 scope link | grep -o 'fe80[^/]*'`)).trim();
  test.each([
    ['with', ['--ipv6']],
    ['without', []],
  ])(
    '::1 and link-local, TCP and UDP, from the host and from a neighbour, to a container %s IPv6',
    async (_, flags) => {
      await d.docker('network', 'create', ...flags, 'mynetwork');
      await server('web', '--network', 'mynetwork', '-p', '8096:80', '-p', '9000-9020:9000-9020');
      await d.docker('exec', '-d', 'web', 'socat', 'TCP6-LISTEN:9010,ipv6only=0,fork', 'SYSTEM:echo run');
      const udpServer = ['run', '-d', '--name', 'udp', '--network', 'mynetwork', '-p', '5301:80/udp'];
      await d.docker(...udpServer, 'nettools', ...TELL_PEER_UDP);
      await listening('udp');
      const address = `${await linkLocal()}%eth0`;
      for (const port of [8096, 9010]) {
        const command = tcp(address, port);
        for (const ask of [from.host, from.outside])
          await until(`TCP ${port}`, async () => (await ask(command)) !== '');
        expect(await from.host(tcp('::1', port))).not.toBe('');
      }
      for (const ask of [from.host, from.outside]) expect(await ask(udp(address, 5301))).not.toBe('');
      expect(await from.host(udp('::1', 5301))).not.toBe('');
      // what the host serves itself is not taken
      await d.host(
        'socat TCP6-LISTEN:2222,fork,reuseaddr SYSTEM:"echo own" >/dev/null 2>&1 & echo $! >/tmp/own.pid',
      );
      try {
        await until('its own', async () => (await from.outside(tcp(address, 2222))) === 'own');
        expect(await from.outside(tcp(address, 2223))).toBe('');
      } finally {
        await d.host('kill $(cat /tmp/own.pid); rm /tmp/own.pid');
      }
    },
  );
  test('a port on one link-local address', async () => {
    await d.docker('network', 'create', '--ipv6', 'mynetwork');
    const HostIp = `${await linkLocal()}%eth0`; // `docker run -p` takes no zone
    await d.api('POST', '/containers/create?name=web', {
      Image: 'nettools',
      Cmd: TELL_PEER,
      HostConfig: { NetworkMode: 'mynetwork', PortBindings: { '80/tcp': [{ HostIp, HostPort: '8097' }] } },
    });
    await d.docker('start', 'web');
    await listening('web');
    const address = `${await linkLocal()}%eth0`;
    for (const ask of [from.host, from.outside]) expect(await ask(tcp(address, 8097))).not.toBe('');
    expect(await from.outside(tcp(HOST.ipv6, 8097))).toBe('');
    const without = await d.docker.try([
      'run',
      '--rm',
      '-p',
      `[${await linkLocal()}]:8098:80`,
      'alpine',
      'true',
    ]);
    expect(without.stderr).toMatch(/link-local.*%/);
  });
});

describe('P5 a range of any size', () => {
  test('P5 ten thousand ports: no process more, and each of them answers', async () => {
    const processes = async () => Number(await d.host(`pgrep -c -P ${d.pid()} || true`));
    await server('none');
    const before = await processes();
    await server('wide', '-p', '10000-19999:10000-19999');
    expect(await processes()).toBe(before);
    await d.docker('exec', '-d', 'wide', 'socat', 'TCP-LISTEN:19999,fork,reuseaddr', 'SYSTEM:echo last');
    await until('the last port answers', async () => (await from.outside(tcp(HOST.ipv4, 19999))) === 'last');
    const taken = await d.docker.try(['run', '--rm', '-p', '15000:80', 'alpine', 'true']);
    expect(taken.stderr).toContain('port is already allocated');
  });
  test('I10-5 I12: thousands in no order: each leads to its own, and when rm has answered the host has them', async () => {
    const at = (i: number): number => 20_000 + ((i * 7919) % 3000);
    await server('scattered', ...Array.from({ length: 3000 }, (_, i) => `-p=${at(i)}:${80 + i}`));
    const answers = async () => {
      await listening('scattered');
      expect(await from.outside(tcp(HOST.ipv4, at(0)))).not.toBe('');
      expect(await from.host(tcp('::1', at(0)))).not.toBe('');
      expect(await from.outside(tcp(HOST.ipv4, at(1)))).toBe('');
    };
    await answers();
    await d.docker('restart', '-t', '0', 'scattered');
    await answers();
    await d.docker('rm', '-f', 'scattered');
    for (const port of [at(0), at(1500), at(2999)])
      expect((await d.host.try(`timeout 0.2 socat TCP-LISTEN:${port} SYSTEM:true`)).stderr).toBe('');
  });
});

describe('P6 the client’s address is kept', () => {
  test('P6 IPv4 and IPv6, over TCP and UDP', async () => {
    await d.docker('network', 'create', '--ipv6', '--subnet', 'fd00:92::/64', 'six');
    await server('web', '--network', 'six', '-p', '8080:80');
    await d.docker(
      'run',
      '-d',
      '--name',
      'udp',
      '--network',
      'six',
      '-p',
      '8082:80/udp',
      'nettools',
      ...TELL_PEER_UDP,
    );
    await listening('udp');
    expect(await address6Of('web', 'six')).not.toBe('');
    expect(peerOf(await from.outside(tcp(HOST.ipv4, 8080)))).toBe(OUTSIDE.ipv4);
    expect(peerOf(await from.outside(tcp(HOST.ipv6, 8080)))).toBe(OUTSIDE.ipv6);
    expect(peerOf(await from.outside(udp(HOST.ipv4, 8082)))).toBe(OUTSIDE.ipv4);
    expect(peerOf(await from.outside(udp(HOST.ipv6, 8082)))).toBe(OUTSIDE.ipv6);
  });
});

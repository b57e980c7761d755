/** What must never happen (docs: the safety properties), tried by an attacker's means against the running daemon. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { ADVERTISEMENT } from '../support/frames.js';
import { keeperOf } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, addressOf, address6Of, gatewayOf, subnetOf, ping, inside, server } = phrasesFor(d);

const tools = (name: string, ...flags: string[]) =>
  d.docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'nettools', 'sleep', '600');
const url = (address: string, port: number) =>
  `curl -s --http0.9 --max-time 1 http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
const answers = async (where: 'host' | 'outside', address: string, port: number) =>
  (await d[where].try(url(address, port))).stdout !== '';
/** The control of what must not be reached from elsewhere; where it fails, the error tells what the host knows. */
const hostReaches = async (address: string, port: number): Promise<void> => {
  try {
    await until(`the host reaches ${address}`, () => answers('host', address, port));
  } catch (error) {
    const known = `ip neigh; ip -6 neigh; ip -6 route; ip -6 addr; ${url(address, port)} -v`;
    throw new Error(
      `${error instanceof Error ? error.message : error}\n${(await d.host.try(`{ ${known}; } 2>&1`)).stdout}`,
    );
  }
};
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

describe('safety 1: published on one address', () => {
  test('safety 1 a neighbour who routes 127.0.0.2 or another interface’s address through the host gets nothing', async () => {
    await d.host(`
      ip link add lan2 type bridge && ip link set lan2 up
      ip addr add 192.168.50.1/24 dev lan2 && ip addr add 2001:db8:50::1/64 dev lan2 nodad`);
    await d.outside(`
      sysctl -qw net.ipv4.conf.all.route_localnet=1
      ip rule add pref 0 from all lookup 100 && ip route add 127.0.0.2 via ${HOST.ipv4} dev eth0 table 100
      ip route add 192.168.50.1 via ${HOST.ipv4} && ip route add 2001:db8:50::1 via ${HOST.ipv6}`);
    try {
      await d.docker('network', 'create', '--ipv6', 'net');
      const ports = ['127.0.0.2:8081:80', '192.168.50.1:8082:80', '[2001:db8:50::1]:8083:80', '8080:80'];
      await server('web', '--network', 'net', ...ports.flatMap((port) => ['-p', port]));
      expect(await answers('outside', HOST.ipv4, 8080)).toBe(true);
      for (const [address, port] of [
        ['127.0.0.2', 8081],
        ['192.168.50.1', 8082],
        ['2001:db8:50::1', 8083],
      ] as const) {
        await hostReaches(address, port);
        expect([address, await answers('outside', address, port)]).toEqual([address, false]);
        expect([HOST.ipv4, port, await answers('outside', HOST.ipv4, port)]).toEqual([
          HOST.ipv4,
          port,
          false,
        ]);
      }
      await d.outside(`ip route add ${await subnetOf('net')} via ${HOST.ipv4}`);
      await d.outside(`ip route add ${await address6Of('web', 'net')} via ${HOST.ipv6}`);
      expect(await answers('outside', await addressOf('web', 'net'), 80)).toBe(false);
      expect(await answers('outside', await address6Of('web', 'net'), 80)).toBe(false);
    } finally {
      await d.host('ip link del lan2');
      await d.outside(`
        ip rule del pref 0 from all lookup 100; ip route flush table 100; ip route del 192.168.50.1
        ip -6 route del 2001:db8:50::1; for r in $(ip route | awk '/via ${HOST.ipv4}/ {print $1}'); do ip route del $r; done
        for r in $(ip -6 route | awk '/via ${HOST.ipv6}/ {print $1}'); do ip -6 route del $r; done; true`);
    }
  });
});

describe('safety 2 and 4: isolation', () => {
  test('safety 2 an internal network reaches its bridge’s address and nothing else, and nothing reaches it', async () => {
    await d.docker('network', 'create', '--internal', 'inner');
    await d.docker('network', 'create', 'other');
    await tools('box', '--network', 'inner');
    await server('neighbour', '--network', 'other', '-p', '8080:80');
    const reached = async (to: string) => (await ping('box', to)).code === 0;
    expect(await reached(await gatewayOf('inner'))).toBe(true);
    for (const to of [
      OUTSIDE.ipv4,
      OUTSIDE.internet,
      await addressOf('neighbour', 'other'),
      await gatewayOf('other'),
    ])
      expect([to, await reached(to)]).toEqual([to, false]);
    expect((await d.docker.try(['exec', 'box', 'sh', '-c', url(HOST.ipv4, 8080)])).stdout).toBe('');
    expect((await ping('neighbour', await addressOf('box', 'inner'))).code).not.toBe(0);
  });
  test('safety 4 an internal network leaks no query to any upstream', async () => {
    d.upstream.records['leak.example'] = '198.51.100.9';
    await d.docker('network', 'create', '--internal', 'inner');
    await d.docker('network', 'create', 'open');
    await tools('box', '--network', 'inner', '--dns', OUTSIDE.ipv4);
    await tools('control', '--network', 'open');
    await d.docker.try(['exec', 'box', 'dig', '+timeout=1', '+retry=0', 'leak.example']);
    await d.docker.try(['exec', 'box', 'dig', '+tcp', '+timeout=1', '+retry=0', 'leak.example']);
    await d.docker.try(['exec', 'box', 'dig', '+timeout=1', '+retry=0', `@${OUTSIDE.ipv4}`, 'leak.example']);
    expect(d.upstream.asked).not.toContain('leak.example');
    expect(await inside('control', 'dig +short +timeout=2 leak.example')).toBe('198.51.100.9');
    expect(d.upstream.asked).toContain('leak.example');
  });
  test('safety 2 neighbours without ICC do not talk; a link opens exactly its port', async () => {
    await d.terminate();
    await d.start(['--icc=false']);
    try {
      await server('db', '--expose', '80');
      await tools('linked', '--link', 'db');
      await tools('stranger');
      const address = await addressOf('db');
      const hears = async (from: string) =>
        (await d.docker.try(['exec', from, 'sh', '-c', url(address, 80)])).stdout !== '';
      expect(await hears('linked')).toBe(true);
      expect(await hears('stranger')).toBe(false);
      expect((await ping('linked', address)).code).not.toBe(0);
      await d.docker('exec', '-d', 'db', 'socat', 'TCP-LISTEN:81,fork', 'SYSTEM:echo open');
      expect((await d.docker.try(['exec', 'linked', 'sh', '-c', url(address, 81)])).stdout).toBe('');
    } finally {
      await d.clear();
      await d.terminate();
      await d.start([]);
    }
  });
});

describe('safety 3: no race opens anything', () => {
  test('safety 3 forbidden flows through 20 kill -9 and as many flushes: 0 answers', {
    timeout: 120_000,
  }, async () => {
    for (const name of ['red', 'blue']) await d.docker('network', 'create', name);
    await tools('target', '--network', 'red');
    await tools('friend', '--network', 'red');
    await tools('stranger', '--network', 'blue');
    const target = await addressOf('target', 'red');
    await d.outside(`ip route add ${target} via ${HOST.ipv4}`);
    const stop = join(d.world.base, 'stop');
    const probe = `ping -q -i 0.02 -W 1 ${target} & p=$!; while [ ! -e ${stop} ]; do sleep 0.1; done; kill -INT $p; wait $p`;
    const running = { timeoutMs: 110_000 };
    const netns = async (name: string) =>
      `nsenter --net=/proc/${await inspect('{{.State.Pid}}', name)}/ns/net sh -c`;
    // processes of the test in the containers' namespaces: they outlive the daemon as the containers do
    const flows = {
      outside: d.outside.try(probe, running),
      stranger: d.host.try(`${await netns('stranger')} '${probe}'`, running),
      friend: d.host.try(`${await netns('friend')} '${probe}'`, running),
    };
    const began = performance.now();
    for (let i = 0; i < 20 || performance.now() - began < 6_000; i += 1) {
      await d.host('nft flush ruleset');
      await d.kill9();
      await d.host('nft flush ruleset');
      await d.start();
    }
    await d.host(`touch ${stop}`);
    const counts = async (flow: keyof typeof flows) => {
      const { stdout } = await flows[flow];
      const match = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
      return { sent: Number(match?.[1]), received: Number(match?.[2]) };
    };
    const [outside, stranger, friend] = [
      await counts('outside'),
      await counts('stranger'),
      await counts('friend'),
    ];
    // The probe can be answered: it is, where somebody takes the rules away while neither daemon nor keeper holds them.
    await d.kill9();
    process.kill(keeperOf(d), 'SIGKILL');
    await until('the keeper is gone', () => keeperOf(d) === 0);
    await d.host('nft flush ruleset');
    expect((await d.outside.try(`ping -c 1 -W 1 ${target}`)).code).toBe(0);
    await d.start();
    expect((await d.outside.try(`ping -c 1 -W 1 ${target}`)).code).not.toBe(0);
    await d.outside(`ip route del ${target}`);
    await d.host(`rm ${stop}`);
    expect(outside.sent).toBeGreaterThan(200);
    expect(stranger.sent).toBeGreaterThan(200);
    expect([outside.received, stranger.received]).toEqual([0, 0]);
    // what is allowed went on all the time
    expect(friend.sent - friend.received).toBeLessThanOrEqual(1);
  });
});

describe('safety 5 and 6: containers that lie', () => {
  test('safety 5 the host ignores router advertisements from containers', async () => {
    const id = await d.docker('network', 'create', '--ipv6', 'net');
    await tools('evil', '--network', 'net', '--cap-add', 'NET_ADMIN');
    const send = `printf '${ADVERTISEMENT}' | socat -u STDIN 'IP6-SENDTO:[ff02::1%eth0]:58,setsockopt-int=41:18:255'`;
    const believed = async () => (await d.host('ip -6 route; ip -6 addr')).includes('2001:db8:bad');
    const settings = (link: string) => `/proc/sys/net/ipv6/conf/${link}/accept_ra`;
    const bridge = `br-${id.slice(0, 12)}`;
    await inside('evil', send);
    expect(await believed()).toBe(false);
    expect(await d.host(`cat ${settings(bridge)}`)).toBe('0');
    await d.host(`echo 2 >${settings(bridge)}; echo 2 >${settings('eth0')}`);
    await inside('evil', send); // even where somebody switched it on
    expect(await believed()).toBe(false);
    await d.outside(send); // such a message is a good one: a real router is believed
    await until('the router outside is believed', believed);
    await d.host(
      `echo 0 >${settings('eth0')}; ip -6 addr flush dev eth0 dynamic; ip -6 route flush proto ra || true`,
    );
  });
  test('safety 5 an IPv4-only network’s interfaces have no IPv6 address', async () => {
    const id = await d.docker('network', 'create', 'net');
    await tools('box', '--network', 'net');
    expect(await inside('box', 'ip -6 addr show dev eth0')).toBe('');
    expect(await d.host(`ip -6 addr show dev br-${id.slice(0, 12)}`)).toBe('');
  });
  test('safety 6 a container cannot take another’s address, the gateway’s, or another MAC', async () => {
    await d.docker('network', 'create', 'net');
    await tools('evil', '--network', 'net', '--cap-add', 'NET_ADMIN');
    await tools('victim', '--network', 'net');
    await tools('target', '--network', 'net');
    const [victim, target, own] = [
      await addressOf('victim', 'net'),
      await addressOf('target', 'net'),
      await addressOf('evil', 'net'),
    ];
    const heard = async (from: string, work: string) => {
      const dump = `rm -f heard said; exec timeout 5 tcpdump -Z root -lni eth0 icmp and src ${from} >heard 2>said`;
      await d.docker('exec', '-d', '-w', '/tmp', 'target', 'sh', '-c', dump);
      await until('tcpdump listens', async () =>
        (await inside('target', 'cat /tmp/said || true')).includes('listening'),
      );
      await d.docker.try(['exec', 'evil', 'sh', '-c', work]);
      return (await inside('target', 'cat /tmp/heard')) !== '';
    };
    expect(await heard(own, `ping -c 3 -i 0.2 ${target}`)).toBe(true);
    for (const address of [victim, await gatewayOf('net')]) {
      const forged = `ip addr add ${address}/32 dev eth0; ping -c 3 -i 0.2 -W 1 -I ${address} ${target}; ip addr del ${address}/32 dev eth0`;
      expect([address, await heard(address, forged)]).toEqual([address, false]);
      expect((await ping('target', address)).code).toBe(0); // and the target still knows the right one
    }
    expect(
      await heard(own, `ip link set eth0 address 02:00:00:00:00:99; ping -c 3 -i 0.2 -W 1 ${target}`),
    ).toBe(false);
  });
});

describe('N F8: whom the sender guard lets through, and what it tells', () => {
  const through = async (gateway: string) => {
    // The way to an address that only the gateway carries on a network of its own.
    await inside('asker', `ip route replace 10.99.0.1 via ${await addressOf(gateway, 'net')}`);
    return (await d.docker.try(['exec', 'asker', 'ping', '-c', '1', '-W', '2', '10.99.0.1'])).code === 0;
  };
  const carrying = async (name: string, ...flags: string[]) => {
    await tools(name, '--cap-add', 'NET_ADMIN', ...flags);
    await inside(name, 'ip addr add 10.99.0.1/32 dev lo');
  };
  const told = async () =>
    (await d.host(`${join(ROOT, 'bin/viaduct')} -H unix://${d.socket} status`)).split('\n');

  test('privileged containers and endpoints with the option send others’ addresses, others do not and are told of', async () => {
    await d.docker('network', 'create', 'net');
    await tools('asker', '--network', 'net', '--cap-add', 'NET_ADMIN');
    await carrying('plain', '--network', 'net');
    await carrying('might', '--network', 'net', '--privileged');
    await carrying('router', '--network', 'name=net,driver-opt=viaduct.endpoint.forwarding=true');
    await carrying('carrier', '--network', 'name=net,driver-opt=viaduct.endpoint.addresses=10.99.0.0/24');
    await carrying(
      'tamed',
      '--privileged',
      '--network',
      'name=net,driver-opt=viaduct.endpoint.forwarding=false',
    );
    expect(await through('plain')).toBe(false);
    expect(await through('tamed')).toBe(false);
    for (const name of ['might', 'router', 'carrier'])
      expect([name, await through(name)]).toEqual([name, true]);
    const lines = (await told()).filter((line) => line.startsWith('dropped'));
    expect(lines.join('\n')).toMatch(/packets? of plain on net: another address than its own/);
    expect(lines.join('\n')).toMatch(/packets? of tamed on net: another address than its own/);
    expect(lines.join('\n')).not.toMatch(/ of (might|router|carrier|asker) /);
    await d.restart();
    expect(await through('carrier')).toBe(true);
    expect(await through('plain')).toBe(false);
  });
  test('a further address of the subnet is answered for; what is none is refused', async () => {
    await d.docker('network', 'create', '--subnet', '10.98.0.0/24', 'net');
    await tools('asker', '--network', 'net');
    await tools(
      'vip',
      '--cap-add',
      'NET_ADMIN',
      '--network',
      'name=net,driver-opt=viaduct.endpoint.addresses=10.98.0.100',
    );
    await inside('vip', 'ip addr add 10.98.0.100/24 dev eth0');
    expect((await ping('asker', '10.98.0.100')).code).toBe(0);
    await d.host('ping -c 1 -W 2 10.98.0.100');
    const refused = await d.docker.try([
      'network',
      'connect',
      '--driver-opt',
      'viaduct.endpoint.addresses=10.98.0.0/8',
      'net',
      'asker',
    ]);
    expect(refused.stderr).toContain('should be 10.0.0.0/8');
  });
});

describe('safety 8: the API and what users write', () => {
  test('safety 8 the socket is for root and its group only', () => {
    expect((statSync(d.socket).mode & 0o777).toString(8)).toBe('660');
    expect((statSync(d.dataRoot).mode & 0o007).toString(8)).not.toMatch(/[2367]/);
    expect((statSync(join(d.dataRoot, 'record')).mode & 0o077).toString(8)).toBe('0');
  });
  test('safety 8 no TCP port of the host answers API requests, from a container or from outside', async () => {
    await tools('box');
    const open = lines(await d.host("ss -Hltn | awk '{print $4}' | sed 's/.*://' | sort -u"));
    for (const port of [...open, '2375', '2376']) {
      const asked = `curl -s --max-time 1 http://ADDRESS:${port}/_ping`;
      const gateway = await gatewayOf('bridge');
      expect(
        (await d.docker.try(['exec', 'box', 'sh', '-c', asked.replace('ADDRESS', gateway)])).stdout,
      ).toBe('');
      expect((await d.outside.try(asked.replace('ADDRESS', HOST.ipv4))).stdout).toBe('');
      expect((await d.outside.try(`nc -z -w 1 ${HOST.ipv4} ${port}`)).code).not.toBe(0);
    }
  });
  test('safety 8, K7: with the API on every address, asked for twice, it answers the LAN and no container', async () => {
    await d.terminate();
    await d.start(['-H', 'tcp://0.0.0.0:2375', '-H', 'tcp://[::]:2376', '--tls=false']);
    try {
      await d.docker('network', 'create', '--ipv6', 'six');
      await d.docker('network', 'create', '--internal', '--ipv6', 'shut');
      for (const network of ['bridge', 'six', 'shut']) await tools(`on-${network}`, '--network', network);
      const ping = (address: string, port: number) => `curl -s --max-time 1 http://${address}:${port}/_ping`;
      const everywhere = [
        ping(HOST.ipv4, 2375),
        ping(`[${HOST.ipv6}]`, 2376),
        ping(await gatewayOf('bridge'), 2375),
        ping(await gatewayOf('shut'), 2375),
      ];
      for (const network of ['bridge', 'six', 'shut'])
        for (const command of everywhere)
          expect([
            network,
            command,
            (await d.docker.try(['exec', `on-${network}`, 'sh', '-c', command])).stdout,
          ]).toEqual([network, command, '']);
      expect(await d.outside(ping(HOST.ipv4, 2375))).toBe('OK');
      expect(await d.outside(ping(`[${HOST.ipv6}]`, 2376))).toBe('OK');
      // M23: nobody publishes the API's port.
      expect((await d.docker.try(['run', '-d', '-p', '2375:80', 'alpine', 'sleep', '9'])).stderr).toContain(
        'port is already allocated',
      );
      await until('the log tells it', () => d.log().includes('asks for no client certificate'));
      await d.clear();
    } finally {
      await d.terminate();
      await d.start([]);
    }
  });

  test('safety 8 no name, label, option or alias reaches a shell, a path or a log unescaped', async () => {
    const canary = join(d.world.base, 'pwned');
    const said = d.log().length;
    const hostile = [
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `;touch ${canary};`,
      `"\n{"level":60,"msg":"forged"}`,
      `../../../pwned`,
      `'--help`,
      `%s%n`,
    ];
    for (const [i, text] of hostile.entries()) {
      const network = await d.api('POST', '/networks/create', {
        Name: `net-${i}${text}`,
        Labels: { [text]: text },
        Options: { [`x.${text}`]: text },
      });
      expect(network.status).toBeLessThan(500);
      const name = `box-${i}`;
      const created = await d.api('POST', `/containers/create?name=${name}`, {
        Image: 'alpine',
        Cmd: ['sh', '-c', 'printf %s "$HOSTILE"'],
        Env: [`HOSTILE=${text}`],
        Labels: { hostile: text },
        Hostname: 'box',
      });
      expect(created.status).toBe(201);
      await d.docker('start', '-a', name);
      expect(await d.docker('logs', name)).toBe(text);
      expect(await inspect('{{.Config.Labels.hostile}}', name)).toBe(text);
      for (const body of [{ Hostname: text }, { Domainname: text }, { WorkingDir: text }, { User: text }]) {
        const { status, json } = await d.api('POST', '/containers/create', {
          Image: 'alpine',
          Cmd: ['true'],
          ...body,
        });
        expect(status).toBeLessThan(500);
        if (status !== 201) continue;
        const { Id } = json as { Id: string }; // docker's answer to create
        expect((await d.api('POST', `/containers/${Id}/start`)).status).not.toBe(500);
      }
      const alias = { EndpointConfig: { Aliases: [text] }, Container: name };
      await d.docker.try(['network', 'create', 'plain']);
      expect((await d.api('POST', '/networks/plain/connect', alias)).status).toBeLessThan(500);
      for (const path of [
        `/containers/${encodeURIComponent(text)}/json`,
        `/networks/${encodeURIComponent(text)}`,
        `/volumes/${encodeURIComponent(text)}`,
        `/images/${encodeURIComponent(text)}/json`,
      ])
        expect([path, (await d.api('GET', path)).status]).toEqual([
          path,
          expect.toSatisfy((s: number) => s >= 400 && s < 500),
        ]);
      expect((await d.api('POST', '/volumes/create', { Name: text })).status).toBe(400);
    }
    expect(existsSync(canary)).toBe(false);
    for (const line of lines(d.log().slice(said))) expect(JSON.parse(line).msg).not.toBe('forged');
  });
});

describe('safety 9: one client cannot starve the others', () => {
  test('safety 9 idle connections and slow requests keep nobody waiting', async () => {
    const idle: Socket[] = [];
    try {
      for (let i = 0; i < 300; i += 1) idle.push(connect(d.socket).on('error', () => {}));
      for (const socket of idle.slice(0, 100))
        socket.write(
          'POST /networks/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
        );
      for (const socket of idle.slice(100, 200)) socket.write('GET /_pi');
      const asked = performance.now();
      expect((await d.api('GET', '/containers/json')).status).toBe(200);
      await d.docker('run', '--rm', 'alpine', 'true');
      expect(performance.now() - asked).toBeLessThan(15_000);
    } finally {
      for (const socket of idle) socket.destroy();
    }
  });
  test('safety 9 a body without end is cut off', async () => {
    const { status } = await d
      .api('POST', '/networks/create', `{"Name":"${'x'.repeat(64 << 20)}"}`)
      .catch(() => ({ status: 413 }));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${d.pid()}/status`, 'utf8'))?.[1])).toBeLessThan(
      400_000,
    );
  });
});

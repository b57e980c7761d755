/** S2, D8: hosts that share an etcd of their user's have overlay networks without swarm; with the real client. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../support/capture.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { WIRE } from '../support/world.js';

const FLAGS = [
  ...['--cluster-store', `etcd://${WIRE.ipv4}:2379/lab`],
  ...['--cluster-advertise', 'eth0:2376', '--cluster-store-opt', 'discovery.heartbeat=1'],
];

let lab: Lab;
let data: string;
let etcd = 0;

const startEtcd = async (): Promise<void> => {
  const urls = `http://${WIRE.ipv4}:2379`;
  const pid = await lab.wire(
    `ETCD_UNSUPPORTED_ARCH= setsid etcd --data-dir ${data}/etcd --log-level error --listen-client-urls ${urls} --advertise-client-urls ${urls} --listen-peer-urls http://127.0.0.1:2380 >${data}/log 2>&1 </dev/null & echo $!`,
  );
  etcd = Number(pid);
  await until('etcd answers', async () => (await lab.wire.try(`curl -sf ${urls}/health`)).code === 0);
};
const stopEtcd = async (): Promise<void> => {
  if (etcd === 0) return;
  process.kill(etcd, 'SIGKILL'); // also where the wire is gone by now
  etcd = 0;
};

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'vd-etcd-'));
  lab = await startLab(2, { images: ['alpine', 'nettools'], flags: FLAGS });
  await startEtcd();
}, 120_000);
afterEach(async () => {
  if (etcd === 0) await startEtcd();
  // A network goes when no host has a container on it any more.
  for (const { docker } of lab.hosts) {
    const names = (await docker('ps', '-aq')).split('\n').filter((line) => line !== '');
    if (names.length > 0) await docker('rm', '-f', ...names);
  }
  const networks = async (host: LabHost) => host.docker('network', 'ls', '-q', '--filter', 'driver=overlay');
  for (const host of lab.hosts)
    await until(
      `${host.name} has no overlay network`,
      async () => {
        const left = (await networks(host)).split('\n').filter((line) => line !== '');
        if (left.length > 0) await host.docker.try(['network', 'rm', ...left]);
        return left.length === 0;
      },
      20_000,
    );
  for (const host of lab.hosts) await host.clear();
}, 60_000);
afterAll(async () => {
  try {
    await lab.stop();
  } finally {
    await stopEtcd();
    rmSync(data, { recursive: true, force: true });
  }
}, 60_000);

const sleeper = ({ docker }: LabHost, name: string, ...flags: string[]): Promise<string> =>
  docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'alpine', 'sleep', '600');
const knows = (host: LabHost, network: string): Promise<unknown> =>
  until(
    `${host.name} knows ${network}`,
    async () => (await host.docker.try(['network', 'inspect', network])).code === 0,
    3_000,
  );
const pings = (host: LabHost, from: string, to: string, ...more: string[]): Promise<unknown> =>
  until(
    `${from} reaches ${to}`,
    async () => (await host.docker.try(['exec', from, 'ping', ...more, '-c', '1', '-W', '1', to])).code === 0,
  );
const addressOf = ({ docker }: LabHost, container: string, network: string): Promise<string> =>
  docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);

/** A network on both hosts with a container on each. */
const two = async (...flags: string[]): Promise<readonly [LabHost, LabHost]> => {
  const [a, b] = [lab.host(1), lab.host(2)];
  await a.docker('network', 'create', '-d', 'overlay', ...flags, 'net');
  await knows(b, 'net');
  await sleeper(a, 'one', '--network', 'net');
  await sleeper(b, 'two', '--network', 'net');
  return [a, b];
};

describe('S2 D8: two hosts', () => {
  test('have one network: seen on both, names and pings both ways, IPv4 and IPv6, published ports, the way out', async () => {
    const [a, b] = await two('--ipv6', '--subnet', '10.66.0.0/24', '--subnet', 'fd66::/64');
    const format = '{{.Name}} {{.Scope}} {{.Driver}} {{.Id}}';
    const seen = await a.docker('network', 'inspect', '-f', format, 'net');
    expect(seen).toMatch(/^net global overlay /);
    expect(await b.docker('network', 'inspect', '-f', format, 'net')).toBe(seen);
    await pings(a, 'one', 'two');
    await pings(b, 'two', 'one');
    await pings(a, 'one', 'two', '-6');
    await pings(b, 'two', 'one', '-6');
    expect(await a.docker('exec', 'one', 'nslookup', 'two')).toContain(await addressOf(b, 'two', 'net'));
    expect(await b.docker('network', 'inspect', 'net')).toMatch(/"Name": "one"/);
    // A full-size packet passes, and the host is no part of the network.
    await a.docker('exec', 'one', 'ping', '-c', '1', '-W', '2', '-s', '1422', 'two');
    expect((await a.host.try(`ping -c 1 -W 1 ${await addressOf(a, 'one', 'net')}`)).code).not.toBe(0);
    await pings(a, 'one', WIRE.ipv4);
    const taken = await addressOf(a, 'one', 'net');
    const wished = await b.docker.try(['run', '--rm', '--network', 'net', '--ip', taken, 'alpine', 'true']);
    expect(wished.stderr).toContain(`Address already in use: ${taken}`);
    const refused = await a.docker.try(['network', 'rm', 'net']);
    expect(refused.stderr).toContain('has active endpoints');
    expect(refused.stderr).toContain('name:"two"');
  });

  test('only UDP 4789 passes between them, and no question of containers', async () => {
    const [a, b] = await two();
    await pings(a, 'one', 'two');
    const wire = lab.wire(
      `timeout 3 tcpdump -n -e -l -i port1 'host 192.0.2.1 and host 192.0.2.2 or arp' 2>/dev/null || true`,
    );
    for (let i = 0; i < 3; i += 1) {
      await pings(a, 'one', 'two');
      await pings(b, 'two', 'one');
      await a.docker.try([
        'exec',
        'one',
        'ping',
        '-c',
        '1',
        '-W',
        '1',
        (await addressOf(a, 'one', 'net')).replace(/\d+$/, '99'),
      ]);
    }
    const frames = (await wire).split('\n').filter((line) => line !== '');
    const between = frames.filter(
      (line) => line.includes('192.0.2.1') && line.includes('192.0.2.2') && !line.includes('ARP'),
    );
    expect(between.length).toBeGreaterThan(0);
    expect(between.filter((line) => !line.includes('.4789: VXLAN') && !/ethertype IPv4/.test(line))).toEqual(
      [],
    );
    expect(frames.filter((line) => /ARP.*who-has (?!192\.0\.2\.)/.test(line))).toEqual([]);
  });

  test('a running container comes to a network and leaves it', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', 'net');
    await knows(b, 'net');
    await sleeper(a, 'one');
    await sleeper(b, 'two', '--network', 'net');
    await a.docker('network', 'connect', '--alias', 'first', 'net', 'one');
    await pings(b, 'two', 'first');
    await a.docker('network', 'disconnect', 'net', 'one');
    await until(
      'the name is gone',
      async () => (await b.docker.try(['exec', 'two', 'nslookup', 'first'])).code !== 0,
    );
    expect(await a.host('ip -br link show type vxlan')).toBe('');
    // The only container of the network on this host, at once again.
    await b.docker('restart', '-t', '0', 'two');
    await a.docker('network', 'connect', 'net', 'one');
    await pings(a, 'one', 'two');
  });

  test('that start containers at once give no address twice', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', '--subnet', '10.67.0.0/28', 'net');
    await knows(b, 'net');
    const names = [1, 2, 3, 4];
    await Promise.all(
      names.flatMap((n) => [
        sleeper(a, `a${n}`, '--network', 'net'),
        sleeper(b, `b${n}`, '--network', 'net'),
      ]),
    );
    const addresses = await Promise.all(
      names.flatMap((n) => [addressOf(a, `a${n}`, 'net'), addressOf(b, `b${n}`, 'net')]),
    );
    expect(new Set(addresses).size).toBe(8);
  });

  test('a daemon that is killed, and one that is stopped, change nothing; afterwards all is as it was', async () => {
    const [a, b] = await two();
    await pings(a, 'one', 'two');
    await a.kill9();
    await pings(b, 'two', await addressOf(b, 'two', 'net').then(() => 'one'));
    await a.start();
    await pings(a, 'one', 'two');
    await b.restart();
    await pings(a, 'one', 'two');
    await pings(b, 'two', 'one');
    await b.docker('rm', '-f', 'two');
    await until(
      'the name is gone',
      async () => (await a.docker.try(['exec', 'one', 'nslookup', 'two'])).code !== 0,
    );
  });

  test('while etcd is away what runs goes on, what is new is refused in words; then all goes on', async () => {
    const [a, b] = await two();
    await pings(a, 'one', 'two');
    await stopEtcd();
    await pings(a, 'one', 'two');
    const refused = await a.docker.try(['run', '--rm', '--network', 'net', 'alpine', 'true'], {
      timeoutMs: 60_000,
    });
    expect(refused.stderr).toMatch(/the cluster’s store etcd:.*does not answer/);
    await a.restart();
    await pings(a, 'one', 'two');
    await b.docker('rm', '-f', 'two');
    await startEtcd();
    await until(
      'the name is gone',
      async () => (await a.docker.try(['exec', 'one', 'nslookup', 'two'])).code !== 0,
    );
    await sleeper(b, 'three', '--network', 'net');
    await pings(a, 'one', 'three');
  });

  test('no container sends what a host would be believed: neither to its own nor to another', async () => {
    const [a, b] = await two();
    await pings(a, 'one', 'two');
    for (const [name, ...flags] of [['member', '--network', 'net'], ['outsider']])
      await a.docker(
        'run',
        '-d',
        '--name',
        name ?? '',
        '--stop-timeout',
        '0',
        ...flags,
        'nettools',
        'sleep',
        '600',
      );
    const count = await recorded(lab.wire, 'port2', data, async () => {
      for (const container of ['member', 'outsider'])
        for (const host of [a, b]) {
          const forged = `echo forged | socat -u - UDP:${host.ipv4}:4789`;
          await a.docker('exec', container, 'sh', '-c', forged);
        }
    });
    // Of UDP's eight bytes and the text's seven: what the hosts send by themselves, as they look at the path, is longer.
    expect(await count('udp port 4789 and src host 192.0.2.1 and udp[4:2] == 15')).toBe(0);
    expect(await a.host('nft list chain inet viaduct vxlan_through')).toMatch(
      /counter packets [1-9]\d* bytes \d+ drop comment "no container is a host of the cluster"/,
    );
  });

  /** Milliseconds: a way is looked at once a minute, and twice before anything is said of it. */
  const LOOKED_AT = 100_000;
  test('D8: what is closed, or too narrow, on the way is told by name with the remedy, and taken back when it is mended', async () => {
    const drop =
      "nft add table netdev closed; nft add chain netdev closed in '{ type filter hook ingress device port1 priority 0; }'; nft add rule netdev closed in udp dport 4789 drop";
    await lab.wire(drop);
    const [a] = await two();
    const warnings = (): Promise<string> => a.docker('info', '-f', '{{json .Warnings}}');
    const told = (what: string): Promise<unknown> =>
      until(what, async () => (await warnings()).includes(what), LOOKED_AT);
    await told('open UDP port 4789 between the two, in both directions');
    expect(await warnings()).toContain('host host2 (192.0.2.2) on network net');
    await until('the log tells it', () => a.log().includes('open UDP port 4789 between the two'));
    await lab.wire('ip link set port2 mtu 1400; nft delete table netdev closed');
    // A bridge lets four bytes more pass, the room of a tag.
    await told('packets of more than 1354 bytes do not reach containers of host host2');
    expect(await warnings()).toContain('com.docker.network.driver.mtu=1354');
    await lab.wire('ip link set port2 mtu 1500');
    await until('nothing is wrong', async () => !(await warnings()).includes('host2'), LOOKED_AT);
  }, 330_000);

  test('frames of strangers are dropped', async () => {
    const [a, b] = await two();
    const vni = await a.docker(
      'network',
      'inspect',
      '-f',
      '{{index .Options "com.docker.network.driver.overlay.vxlanid_list"}}',
      'net',
    );
    const target = await addressOf(a, 'one', 'net');
    const stranger = target.replace(/\d+$/, '200');
    const mac = await a.docker('exec', 'one', 'cat', '/sys/class/net/eth0/address');
    await lab.wire(
      `ip link add forged type vxlan id ${vni} dstport 4789 remote 192.0.2.1 local ${WIRE.ipv4}; ip address add ${stranger}/24 dev forged; ip link set forged up; ip neigh replace ${target} lladdr ${mac} dev forged`,
    );
    // By who sent them: the hosts look at the ways between their containers at any time, with echoes too.
    const inside = `nsenter -t ${await a.docker('inspect', '-f', '{{.State.Pid}}', 'one')} -n nft`;
    const honest = await addressOf(b, 'two', 'net');
    await a.host(`${inside} '
      table ip seen {
        counter honest { }
        counter stranger { }
        chain in {
          type filter hook prerouting priority -400;
          ip saddr ${honest} counter name honest
          ip saddr ${stranger} counter name stranger
        }
      }'`);
    const seen = async (whose: string): Promise<number> =>
      Number(/packets (\d+)/.exec(await a.host(`${inside} list counter ip seen ${whose}`))?.[1]);
    await pings(b, 'two', 'one');
    expect(await seen('honest')).toBeGreaterThan(0);
    await lab.wire.try(`ping -c 5 -i 0.1 -W 1 ${target}`);
    await lab.wire('ip link del forged');
    expect(await seen('stranger')).toBe(0);
    expect(await a.host('nft list chain inet viaduct vxlan_guard')).toMatch(
      /counter packets [1-9]\d* bytes \d+ drop comment "a container, or a stranger"/,
    );
  });
});

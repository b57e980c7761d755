/** D8: overlay networks with `--opt encrypted`, on a kernel that has WireGuard: in a cluster of the user's etcd, and in a swarm. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TUNNEL_LINK, TUNNEL_SUBNET } from '../../src/model/tunnel.js';
import { recorded } from '../support/capture.js';
import { datagram } from '../support/frames.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { WIRE } from '../support/world.js';

const STORE = [
  '--cluster-store',
  `etcd://${WIRE.ipv4}:2379/lab`,
  '--cluster-store-opt',
  'discovery.heartbeat=1',
];
const flagsOf = (advertise: string): string[] => [...STORE, '--cluster-advertise', advertise];
const MEGABYTE = 1_048_576;
/** milliseconds: daemons start anew, on an emulated processor that has others beside it */
const LONG = 300_000;

let lab: Lab;
let data: string;
let etcd = 0;
let [a, b]: LabHost[] = [];

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'vd-etcd-'));
  lab = await startLab(2, { images: ['alpine'], flags: flagsOf('eth0:2376') });
  [a, b] = lab.hosts;
  const urls = `http://${WIRE.ipv4}:2379`;
  const pid = await lab.wire(
    `setsid etcd --data-dir ${data}/etcd --log-level error --listen-client-urls ${urls} --advertise-client-urls ${urls} --listen-peer-urls http://127.0.0.1:2380 >${data}/log 2>&1 </dev/null & echo $!`,
  );
  etcd = Number(pid);
  await until('etcd answers', async () => (await lab.wire.try(`curl -sf ${urls}/health`)).code === 0);
});
afterAll(async () => {
  try {
    await lab.stop();
  } finally {
    if (etcd !== 0) process.kill(etcd, 'SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
});

const hosts = (): readonly [LabHost, LabHost] => {
  if (!a || !b) throw new Error('the lab has two hosts');
  return [a, b];
};
/** A test that failed may have left one dead. */
const living = async (): Promise<readonly [LabHost, LabHost]> => {
  for (const host of hosts()) if ((await host.docker.try(['version'])).code !== 0) await host.start();
  return hosts();
};

const answers = async ({ docker }: LabHost, from: string, to: string, ...more: string[]): Promise<boolean> =>
  (await docker.try(['exec', from, 'ping', ...more, '-c', '1', '-W', '1', to])).code === 0;
const pings = (host: LabHost, from: string, to: string, ...more: string[]): Promise<unknown> =>
  until(`${from} reaches ${to}`, () => answers(host, from, to, ...more), 30_000);

/** A network on both hosts, with a container on each; as it is, where it is there. */
const two = async (name: string, ...flags: string[]): Promise<readonly [LabHost, LabHost]> => {
  const [first, second] = await living();
  const there = async ({ docker }: LabHost, what: string): Promise<boolean> =>
    (await docker.try(['inspect', what])).code === 0;
  if (!(await there(first, name)))
    await first.docker('network', 'create', '-d', 'overlay', '--opt', 'encrypted', ...flags, name);
  for (const [host, container] of [[first, 'one'] as const, [second, 'two'] as const])
    await until(`${container} runs`, async () => {
      if (await there(host, container)) return true;
      const sleeper = [
        '--name',
        container,
        '--network',
        name,
        '--stop-timeout',
        '0',
        'alpine',
        'sleep',
        '6000',
      ];
      await host.docker.try(['run', '-d', ...sleeper]);
      return false;
    });
  await pings(first, 'one', 'two');
  return [first, second];
};
const drop = async (name: string): Promise<readonly [LabHost, LabHost]> => {
  const [first, second] = await living();
  await Promise.all([first.docker.try(['rm', '-f', 'one']), second.docker.try(['rm', '-f', 'two'])]);
  await until('nobody has the network', async () => {
    await first.docker.try(['network', 'rm', name]);
    return (await first.docker.try(['network', 'inspect', name])).code !== 0;
  });
  return [first, second];
};
/** The other host as `wg` shows it: public key, and address inside. */
const peerOf = async ({ host }: LabHost): Promise<{ readonly key: string; readonly inside: string }> => {
  // A key may have slashes of its own.
  const [key = '', allowed = ''] = (await host(`wg show ${TUNNEL_LINK} allowed-ips`)).split('\t');
  return { key, inside: allowed.split('/')[0] ?? '' };
};
/** By its process, also while no daemon runs. */
const pidOf = async ({ docker }: LabHost, container: string): Promise<string> =>
  docker('inspect', '-f', '{{.State.Pid}}', container);
const addressOf = ({ docker }: LabHost, container: string): Promise<string> =>
  docker('inspect', '-f', '{{.NetworkSettings.Networks.net.IPAddress}}', container);

/** Packets on the wire between the two hosts while something is done: in cipher, in the clear, in pieces. */
const onTheWire = async (
  work: () => Promise<unknown>,
): Promise<{ cipher: number; clear: number; pieces: number }> => {
  const count = await recorded(lab.wire, 'port1', data, work);
  return {
    cipher: await count('udp port 51820'),
    clear: await count(`udp port 4789 or udp port 4790 or net ${TUNNEL_SUBNET}`),
    pieces: await count('ip[6:2] & 0x3fff != 0 or ip6[6] == 44'),
  };
};

/** A file of one host's container, fetched by the other's. */
const megabyte = async (): Promise<void> => {
  const [first, second] = hosts();
  const make = `head -c ${MEGABYTE} /dev/urandom > /tmp/file; httpd -p 80 -h /tmp; md5sum < /tmp/file`;
  const sum = await second.docker('exec', 'two', 'sh', '-c', make);
  const fetched = () => first.docker('exec', 'one', 'sh', '-c', 'wget -q -O - http://two/file | md5sum');
  await until('all of it has arrived', async () => (await fetched()) === sum, 20_000);
};

const mtuOf = (container: string): Promise<string> =>
  hosts()[0].docker('exec', container, 'cat', '/sys/class/net/eth0/mtu');

test(
  'D8 S2 two hosts: containers ping and pass a megabyte, and the wire has WireGuard alone, nothing in pieces',
  async () => {
    const [first, second] = await two('net');
    const seen = await onTheWire(async () => {
      await pings(first, 'one', 'two', '-s', '1342');
      await pings(second, 'two', 'one');
      await megabyte();
    });
    expect(seen).toEqual({ cipher: expect.any(Number), clear: 0, pieces: 0 });
    expect(seen.cipher).toBeGreaterThan(MEGABYTE / 1500);
    expect(await mtuOf('one')).toBe('1370');
  },
  LONG,
);

test(
  'D8 a daemon that is killed keeps the tunnel; without the peer, without the interface nothing is sent in the clear',
  async () => {
    const [first, second] = await two('net');
    const [pid, other] = [await pidOf(first, 'one'), await addressOf(second, 'two')];
    const { key } = await peerOf(first);
    await first.kill9();
    await first.host(`nsenter -t ${pid} -n ping -c 2 -W 1 ${other}`);
    // The way that is left when the tunnel is gone.
    await first.host('ip -6 route replace default via 2001:db8:1::fe dev eth0');
    const tries = async (): Promise<void> => {
      const tried = await first.host.try(`nsenter -t ${pid} -n ping -c 5 -i 0.2 -W 1 ${other}`);
      expect(tried.code).not.toBe(0);
      expect(await answers(second, 'two', 'one')).toBe(false);
    };
    await first.host(`wg set ${TUNNEL_LINK} peer ${key} remove`);
    expect(await onTheWire(tries)).toMatchObject({ clear: 0 });
    await first.host(`ip link del ${TUNNEL_LINK}`);
    expect(await onTheWire(tries)).toMatchObject({ clear: 0 });
    expect(await first.host('nft list chain inet viaduct sealed_out')).toMatch(
      /counter packets [1-9]\d* bytes \d+ drop comment "never clear"/,
    );
    await first.host('ip -6 route del default via 2001:db8:1::fe');
    await first.start();
    await pings(first, 'one', 'two');
  },
  LONG,
);

test(
  'D8 a restart leaves the tunnel as it is; where somebody deletes it, it is made again',
  async () => {
    const [first] = await two('net');
    const index = () => first.host.try(`cat /sys/class/net/${TUNNEL_LINK}/ifindex`);
    const before = await index();
    await first.restart();
    expect(await index()).toEqual(before);
    await first.host(`ip link del ${TUNNEL_LINK}`);
    await until('it is back', async () => (await index()).code === 0, 20_000);
    await pings(first, 'one', 'two');
    // Of its peers the kernel tells nobody.
    const peer = await peerOf(first);
    for (const change of ['remove', 'allowed-ips ""']) {
      await first.host(`wg set ${TUNNEL_LINK} peer ${peer.key} ${change}`);
      const inside = (): Promise<string> => first.host(`wg show ${TUNNEL_LINK} allowed-ips`);
      await until(`it has its peer again: ${change}`, async () => /\/128/.test(await inside()), 20_000);
    }
    await pings(first, 'one', 'two');
  },
  LONG,
);

test(
  'D8 a frame in the clear is dropped, whoever sends it; the same frame by the tunnel is heard',
  async () => {
    const [first, second] = await two('net');
    const vni = await first.docker(
      ...[
        'network',
        'inspect',
        '-f',
        '{{index .Options "com.docker.network.driver.overlay.vxlanid_list"}}',
        'net',
      ],
    );
    const to = await addressOf(second, 'two');
    const toMac = await second.docker('exec', 'two', 'cat', '/sys/class/net/eth0/address');
    // Datagrams to a port that nobody has: the path check sends none.
    const heard = async (): Promise<number> => {
      const said = await second.docker('exec', 'two', 'cat', '/proc/net/snmp');
      return Number(/^Udp: \d+ (\d+)/m.exec(said)?.[1]);
    };
    const header = Buffer.from([0x08, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUIntBE(Number(vni), 4, 3);
    const ends = { fromMac: '02:42:0a:00:00:99', toMac, from: to.replace(/\d+$/, '200'), to };
    const octal = [...Buffer.concat([header, datagram(ends, 9, 'forged')])]
      .map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
      .join('');
    const send = (target: string): string =>
      `for n in 1 2 3 4 5; do printf '${octal}' | socat -u - 'UDP6:[${target}]:4790'; done`;
    const before = await heard();
    await lab.wire(send(second.ipv6));
    const { inside } = await peerOf(first);
    await first.host(send(inside));
    await until('those by the tunnel are heard', async () => (await heard()) >= before + 5);
    expect(await heard()).toBe(before + 5);
    expect(await second.host('nft list chain inet viaduct sealed_guard')).toMatch(
      /counter packets [1-9]\d* bytes \d+ drop comment "clear"/,
    );
  },
  LONG,
);

test(
  'D8 another program has WireGuard’s port: the container is refused, and told what to do',
  async () => {
    const [first] = await drop('net');
    await first.host('ip link add wg0 type wireguard && wg set wg0 listen-port 51820 && ip link set wg0 up');
    await first.docker('network', 'create', '-d', 'overlay', '--opt', 'encrypted', 'net');
    const run = () => first.docker.try(['run', '--rm', '--network', 'net', 'alpine', 'true']);
    const refused = await run();
    expect(refused.stderr).toContain('UDP port 51820, by which hosts of encrypted networks reach this one');
    expect(refused.stderr).toContain('--wireguard-port');
    expect(await first.host('ip -br link')).not.toContain(TUNNEL_LINK);
    await first.host('ip link del wg0');
    expect((await run()).code).toBe(0);
    await drop('net');
  },
  LONG,
);

test(
  'D8 S1 a swarm whose nodes speak IPv6: keys come with the nodes, nothing is in the clear, the MTU is 20 less',
  async () => {
    for (const host of await living()) {
      await host.docker.try(['swarm', 'leave', '--force']);
      await host.terminate();
      await host.start([]);
    }
    const [first, second] = hosts();
    await first.docker('swarm', 'init', '--advertise-addr', first.ipv6);
    const token = await first.docker('swarm', 'join-token', '-q', 'worker');
    const join = ['swarm', 'join', '--token', token, '--advertise-addr', second.ipv6];
    await second.docker(...join, `[${first.ipv6}]:2377`);
    await two('net', '--attachable');
    const seen = await onTheWire(async () => {
      await pings(second, 'two', 'one', '-s', '1322');
      await megabyte();
    });
    expect(seen).toEqual({ cipher: expect.any(Number), clear: 0, pieces: 0 });
    expect(seen.cipher).toBeGreaterThan(MEGABYTE / 1500);
    expect(await mtuOf('one')).toBe('1350');
  },
  LONG,
);

/** What Debian's kernel has and a developer's machine may not: 802.1q sub-interfaces, dummies and ipvlan. */
import { describe, expect, test } from 'vitest';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST, LAN, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine'] });
const { inspect, inside, addressOf, sleeper, ping, reaches } = phrasesFor(d);

const answers = async (from: string, to: string) => (await ping(from, to)).code === 0;
const links = () => d.host('ip -o link');

/** The trunk's other end: VLANs 50 and 60, each with a router. */
const withTrunk = async (work: () => Promise<void>): Promise<void> => {
  await d.outside(`
    for id in 50 60; do
      ip link add link eth0 name eth0.$id type vlan id $id
      ip address add 10.0.$id.1/24 dev eth0.$id
      ip link set eth0.$id up
    done`);
  try {
    await work();
  } finally {
    await d.clear();
    await d.outside.try('ip link del eth0.50; ip link del eth0.60');
  }
};
const vlan = (id: number, name: string, driver = 'macvlan') =>
  d.docker(
    ...['network', 'create', '-d', driver, '--subnet', `10.0.${id}.0/24`, '--gateway', `10.0.${id}.1`],
    ...['-o', `parent=eth0.${id}`, name],
  );

describe('802.1q trunk', () => {
  test('D6 two networks on two sub-interfaces: tags on the parent, routers reached, neither hears the other', async () => {
    await withTrunk(async () => {
      await vlan(50, 'web');
      await vlan(60, 'db');
      await sleeper('c50', '--network', 'web');
      await sleeper('c60', '--network', 'db');
      const seen = d.outside('timeout 20 tcpdump -i eth0 -c 1 -nn -e "vlan 50 and icmp" 2>&1');
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await reaches('c50', '10.0.50.1');
      expect(await seen).toMatch(/vlan 50.*10\.0\.50\.\d+ > 10\.0\.50\.1: ICMP echo request/);
      await reaches('c60', '10.0.60.1');
      expect(await answers('c50', await addressOf('c60', 'db'))).toBe(false);
      expect(await links()).toMatch(/eth0\.50@eth0[\s\S]*eth0\.60@eth0/);
    });
    expect(await links()).not.toMatch(/eth0\.[56]0/);
  });

  test('D6 the last network takes the sub-interface along; one that the user made stays as it is', async () => {
    await withTrunk(async () => {
      await vlan(50, 'one');
      const two = ['--subnet', '10.1.50.0/24', '-o', 'parent=eth0.50', 'two'];
      await d.docker('network', 'create', '-d', 'macvlan', ...two);
      await d.docker('network', 'rm', 'one');
      expect(await links()).toContain('eth0.50@eth0');
      await d.docker('network', 'rm', 'two');
      expect(await links()).not.toContain('eth0.50');
      await d.host('ip link add link eth0 name eth0.60 type vlan id 60 && ip link set eth0.60 mtu 1400 up');
      await vlan(60, 'db');
      await sleeper('c60', '--network', 'db');
      await reaches('c60', '10.0.60.1');
      await d.kill9();
      await d.start();
      await reaches('c60', '10.0.60.1');
      await d.docker('rm', '-f', 'c60');
      await d.docker('network', 'rm', 'db');
      expect(await links()).toMatch(/eth0\.60@eth0.*mtu 1400/);
      await d.host('ip link del eth0.60');
    });
  });

  test('D6 a deleted sub-interface comes back with the containers’ interfaces; a kill -9 adopts them', async () => {
    await withTrunk(async () => {
      await vlan(50, 'web');
      await sleeper('c50', '--network', 'web');
      await d.host('ip link del eth0.50');
      await until('it is back', () => answers('c50', '10.0.50.1'), 20_000);
      const before = await kernelState(d);
      await d.kill9();
      await d.start();
      expect(await kernelState(d)).toEqual(before);
      await reaches('c50', '10.0.50.1');
    });
  });

  test('D6 a parent that is down raises no sub-interface: said so, and nothing is left', async () => {
    await d.host('ip link add spare0 type dummy');
    const { stderr } = await d.docker.try([
      'network',
      'create',
      '-d',
      'macvlan',
      '-o',
      'parent=spare0.7',
      'net',
    ]);
    expect(stderr).toContain('spare0 is down, raise it first (ip link set spare0 up)');
    expect(await links()).not.toContain('spare0.7');
    await d.host('ip link del spare0');
  });
});

describe('without a parent', () => {
  test.each([
    ['macvlan', 'dm'],
    ['ipvlan', 'di'],
  ])('D6 D7 %s: containers reach each other over a dummy, and nothing else', async (driver, prefix) => {
    const id = await d.docker('network', 'create', '-d', driver, 'net');
    await sleeper('c1', '--network', 'net');
    await sleeper('c2', '--network', 'net');
    expect(await links()).toContain(`${prefix}-${id.slice(0, 12)}`);
    await reaches('c1', 'c2');
    expect(await inside('c1', 'ip route')).not.toContain('default');
    await d.docker('rm', '-f', 'c1', 'c2');
    await d.docker('network', 'rm', 'net');
    await until('the dummy is gone', async () => !(await links()).includes(`${prefix}-`));
  });
});

describe('D7 ipvlan', () => {
  test('D7 l2: on the wire with the parent’s MAC, the router reached, neighbours too; restart and kill -9', async () => {
    await d.docker('network', 'create', '-d', 'ipvlan', ...LAN, '-o', 'parent=eth0', 'lan');
    await sleeper('c1', '--network', 'lan');
    await sleeper('c2', '--network', 'lan');
    const mac = await d.host('cat /sys/class/net/eth0/address');
    expect(await inside('c1', 'cat /sys/class/net/eth0/address')).toBe(mac);
    await reaches('c1', OUTSIDE.ipv4);
    await reaches('c1', OUTSIDE.internet);
    await reaches('c1', 'c2');
    expect(await d.outside(`ip neigh show ${await addressOf('c1', 'lan')}`)).toContain(mac);
    const before = await kernelState(d);
    await d.restart();
    await d.kill9();
    await d.start();
    expect(await kernelState(d)).toEqual(before);
    await reaches('c1', 'c2');
    const address = await addressOf('c1', 'lan');
    await d.docker('restart', 'c1');
    expect(await addressOf('c1', 'lan')).toBe(address);
    await reaches('c1', OUTSIDE.ipv4);
  });

  test.each(['l3', 'l3s'])(
    'D7 %s: the default route is the interface itself; outside routes back',
    async (mode) => {
      await d.docker(
        ...['network', 'create', '-d', 'ipvlan', '--subnet', '10.30.0.0/24', '--subnet', '10.31.0.0/24'],
        ...['-o', 'parent=eth0', '-o', `ipvlan_mode=${mode}`, 'routed'],
      );
      await sleeper('c1', '--network', 'routed');
      await sleeper('c2', '--network', 'routed', '--ip', '10.31.0.9');
      // both: the client sends subnets in any order, and the first one gives c1 its address
      await d.outside(`ip route add 10.30.0.0/15 via ${HOST.ipv4}`);
      try {
        expect(await inside('c1', 'ip route')).toMatch(/^default dev eth0/m);
        await reaches('c1', '10.31.0.9');
        await reaches('c1', OUTSIDE.ipv4);
      } finally {
        await d.outside('ip route del 10.30.0.0/15');
      }
    },
  );

  test('D7 private keeps containers apart; a MAC of one’s own cannot be; inspect shows none', async () => {
    await d.docker(
      'network',
      'create',
      '-d',
      'ipvlan',
      ...LAN,
      '-o',
      'parent=eth0',
      '-o',
      'ipvlan_flag=private',
      'lan',
    );
    await sleeper('c1', '--network', 'lan');
    await sleeper('c2', '--network', 'lan');
    expect(await answers('c1', await addressOf('c2', 'lan'))).toBe(false);
    await reaches('c1', OUTSIDE.ipv4);
    expect(await inspect('{{.NetworkSettings.Networks.lan.MacAddress}}', 'c1')).toBe('');
    const { stderr } = await d.docker.try([
      'run',
      '--network',
      'lan',
      '--mac-address',
      '02:00:00:00:00:01',
      'alpine',
      'true',
    ]);
    expect(stderr).toContain('ipvlan interfaces do not support custom mac address assignment');
  });
});

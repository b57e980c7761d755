/** macvlan networks: containers on the physical network beside the host, which here is the `outside` behind eth0. */
import { describe, expect, test } from 'vitest';
import { captured } from '../support/capture.js';
import { openConnection } from '../support/connection.js';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, peerOf, phrasesFor, TELL_PEER } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST, LAN, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, inside, addressOf, address6Of, sleeper, ping } = phrasesFor(d);

const create = (...args: string[]) => d.docker('network', 'create', '-d', 'macvlan', ...args);
const refused = async (...args: string[]) =>
  (await d.docker.try(['network', 'create', '-d', 'macvlan', ...args])).stderr
    .replace('Error response from daemon: ', '')
    .trim();

const LAN6 = [
  '--ipv6',
  '--subnet',
  '2001:db8:1::/64',
  '--gateway',
  OUTSIDE.ipv6,
  '--aux-address',
  `host6=${HOST.ipv6}`,
];
const lan = (...args: string[]) => create(...LAN, '-o', 'parent=eth0', ...args, 'lan');

const fromOutside = (address: string) => d.outside.try(`ping -c1 -W1 ${address}`);
const answers = async (result: Promise<{ code: number }>) => (await result).code === 0;

/** A second wire `lan0`, whose other end lies outside; gone afterwards. */
const withWire = async (work: () => Promise<void>): Promise<void> => {
  const outside = d.world.netns.outside;
  await d.host(`ip link add lan0 type veth peer name lan0 netns ${outside} && ip link set lan0 up`);
  await d.outside('ip address add 10.9.0.1/24 dev lan0; ip link set lan0 up');
  await d.host('ip link show lan0');
  try {
    await work();
  } finally {
    await d.clear();
    await d.host.try('ip link delete lan0');
  }
};
const WIRE = ['--subnet', '10.9.0.0/24', '--gateway', '10.9.0.1', '-o', 'parent=lan0'];

describe('D6 macvlan on a parent', () => {
  test('D6 containers are on the wire: ARP, ping both ways, TCP, the router and the internet behind it', async () => {
    await lan();
    await sleeper('aa', '--network', 'lan');
    await d.docker(
      'run',
      '-d',
      '--name',
      'bb',
      '--stop-timeout',
      '0',
      '--network',
      'lan',
      'nettools',
      ...TELL_PEER,
    );
    const [a, b] = [await addressOf('aa', 'lan'), await addressOf('bb', 'lan')];
    // .1 is the router's, .2 the host's
    expect([a, b]).toEqual(['192.0.2.3', '192.0.2.4']);
    expect(await answers(ping('aa', OUTSIDE.ipv4))).toBe(true);
    expect(await answers(ping('aa', OUTSIDE.internet))).toBe(true);
    expect(await answers(ping('aa', b))).toBe(true);
    expect(await answers(ping('aa', 'bb'))).toBe(true);
    expect(await answers(fromOutside(a))).toBe(true);
    const mac = await inspect('{{.NetworkSettings.Networks.lan.MacAddress}}', 'aa');
    expect(mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
    expect(await d.outside(`ip neigh show ${a}`)).toContain(mac);
    expect(await inside('aa', 'cat /sys/class/net/eth0/address')).toBe(mac);
    const tcp = async () => peerOf((await d.outside.try(`curl -s --http0.9 http://${b}`)).stdout);
    await until('TCP from outside', async () => (await tcp()) === OUTSIDE.ipv4);
    expect(await inside('aa', 'ip route')).toContain(`default via ${OUTSIDE.ipv4} dev eth0`);
    // The kernel lets no macvlan speak with its own parent.
    expect(await answers(ping('aa', HOST.ipv4))).toBe(false);
    expect(await d.host('ip -o link')).not.toMatch(/veth|dm-/);
  });

  test('D6 IPv6, its router, and addresses that are excluded', async () => {
    await lan(...LAN6);
    await sleeper('aa', '--network', 'lan');
    const a = await address6Of('aa', 'lan');
    expect(a).toBe('2001:db8:1::3');
    expect(await answers(ping('aa', OUTSIDE.ipv6))).toBe(true);
    expect(await answers(fromOutside(a))).toBe(true);
    expect(await inside('aa', 'ip -6 route')).toContain(`default via ${OUTSIDE.ipv6} dev eth0`);
  });

  test('D6 without a gateway there is no default route; internal networks have none either', async () => {
    await create(
      '--subnet',
      '192.0.2.0/24',
      '-o',
      'parent=eth0',
      '--aux-address',
      'r=192.0.2.1',
      '--aux-address',
      'h=192.0.2.2',
      'lan',
    );
    expect(await inspect('{{json .IPAM.Config}}', 'lan')).toBe(
      '[{"Subnet":"192.0.2.0/24","AuxiliaryAddresses":{"h":"192.0.2.2","r":"192.0.2.1"}}]',
    );
    await sleeper('aa', '--network', 'lan');
    expect(await inside('aa', 'ip route')).not.toContain('default');
    expect(await answers(ping('aa', OUTSIDE.ipv4))).toBe(true);
    await create(
      '--internal',
      '--subnet',
      '10.88.0.0/24',
      '--gateway',
      '10.88.0.1',
      '-o',
      'parent=eth0',
      'inner',
    );
    await sleeper('bb', '--network', 'inner');
    expect(await inside('bb', 'ip route')).not.toContain('default');
  });

  test('D6 publishes nothing, and says nothing of it', async () => {
    await lan();
    await sleeper('aa', '--network', 'lan', '-p', '8080:80');
    expect(await d.docker('port', 'aa')).toBe('');
    expect(await d.host('ss -Hltn sport = :8080')).toBe('');
    await d.docker('network', 'create', 'br');
    await d.docker('network', 'connect', '--gw-priority', '1', 'br', 'aa');
    expect(await d.docker('port', 'aa')).toContain('8080');
    await d.docker('network', 'disconnect', 'lan', 'aa');
    expect(await inside('aa', 'ls /sys/class/net')).not.toContain('eth0');
  });

  test('D6 an MTU, an interface name, sysctls, a MAC and an address of the user’s', async () => {
    await lan('-o', 'com.docker.network.driver.mtu=1400');
    const options =
      'name=lan,ip=192.0.2.77,mac-address=02:00:00:00:00:77,"driver-opt=com.docker.network.endpoint.ifname=wan7,com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"';
    await sleeper(
      'aa',
      '--network',
      options.replace(/"driver-opt=(.*),(.*)"/, 'driver-opt=$1,driver-opt=$2'),
    );
    expect(await inside('aa', 'ip link show wan7')).toMatch(/mtu 1400[\s\S]*02:00:00:00:00:77/);
    expect(await inside('aa', 'cat /proc/sys/net/ipv4/conf/wan7/log_martians')).toBe('1');
    expect(await answers(fromOutside('192.0.2.77'))).toBe(true);
  });

  test('D6 options are shown as given', async () => {
    await lan('-o', 'macvlan_mode=bridge', '-o', 'unknown=x');
    expect(await inspect('{{json .Options}} {{.Driver}} {{.Scope}}', 'lan')).toBe(
      '{"macvlan_mode":"bridge","parent":"eth0","unknown":"x"} macvlan local',
    );
  });
});

describe('D6 what the switch beyond the parent decides', () => {
  /** The wire's far end is a port of a switch; hairpin: the switch sends frames back where they came from. */
  const withSwitch = (work: (reflects: (on: boolean) => Promise<unknown>) => Promise<void>): Promise<void> =>
    withWire(async () => {
      await d.outside(`
        set -e
        ip link add sw0 type bridge
        ip link set lan0 master sw0
        ip address del 10.9.0.1/24 dev lan0
        ip address add 10.9.0.1/24 dev sw0
        ip link set sw0 up`);
      try {
        await work((on) => d.outside(`bridge link set dev lan0 hairpin ${on ? 'on' : 'off'}`));
      } finally {
        await d.outside('ip link delete sw0');
      }
    });
  const twoIn = async (mode: string): Promise<string> => {
    await create(...WIRE, '-o', `macvlan_mode=${mode}`, 'wire');
    for (const name of ['aa', 'bb']) await sleeper(name, '--network', 'wire');
    await until('the switch forwards', () => answers(ping('aa', '10.9.0.1')));
    expect(await answers(ping('bb', '10.9.0.1'))).toBe(true);
    return addressOf('bb', 'wire');
  };

  test('D6 vepa: two containers reach each other through a switch that reflects, and through no other', async () => {
    await withSwitch(async (reflects) => {
      const b = await twoIn('vepa');
      expect(await answers(ping('aa', b))).toBe(false);
      await reflects(true);
      await until('the switch reflects', () => answers(ping('aa', b)));
      expect(await answers(ping('bb', 'aa'))).toBe(true);
      await reflects(false);
      expect(await answers(ping('aa', b))).toBe(false);
    });
  });

  test('D6 private: they do not, reflecting switch or not, and reach all else', async () => {
    await withSwitch(async (reflects) => {
      const b = await twoIn('private');
      expect(await answers(ping('aa', b))).toBe(false);
      await reflects(true);
      // What the switch sends back arrives at the parent, and at nobody on it.
      const reflected = await captured(d.host, 'lan0 -Q in', `arp[6:2] = 1 and arp dst host ${b}`, async () =>
        expect(await answers(ping('aa', b))).toBe(false),
      );
      expect(reflected).toContain(`who-has ${b}`);
      expect(await answers(ping('aa', '10.9.0.1'))).toBe(true);
    });
  });

  test('D6 bridge: they do, whatever the switch', async () => {
    await withSwitch(async (reflects) => {
      const b = await twoIn('bridge');
      expect(await answers(ping('aa', b))).toBe(true);
      await reflects(true);
      expect(await answers(ping('aa', b))).toBe(true);
    });
  });
});

describe('D6 what cannot be is refused, and nothing is changed', () => {
  test.each([
    [
      ['-o', 'macvlan_mode=rbidge', '-o', 'parent=eth0'],
      "requested macvlan mode 'rbidge' is not valid, 'bridge' mode is the macvlan driver default",
    ],
    [['-o', 'parent=lo'], 'loopback interface is not a valid macvlan parent link'],
    [['-o', 'parent=nosuch0'], 'the requested parent interface nosuch0 was not found on the Docker host'],
    [['-o', 'parent=nosuch0.50'], '-o parent interface was not found on the host: nosuch0 (for nosuch0.50)'],
    [['-o', 'parent=eth0.5000'], 'vlan id must be between 1-4094, received: 5000'],
    [['-o', 'parent=eth0.x'], 'unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)'],
    [['-o', 'parent=a/b'], 'invalid parent interface name: a/b'],
    [['-o', 'parent=eth0', '-o', 'com.docker.network.driver.mtu=12'], 'invalid MTU number: 12'],
  ])('D6 %j', async (args, message) => {
    const before = await kernelState(d);
    expect(await refused(...args, 'lan')).toBe(message);
    expect(await d.docker('network', 'ls', '-q', '--filter', 'type=custom')).toBe('');
    expect(await kernelState(d)).toEqual(before);
  });

  test('D6 a parent is shared by any number of networks, or by one in passthru mode', async () => {
    await withWire(async () => {
      const id = await create(...WIRE, 'one');
      await create('--subnet', '10.10.0.0/24', '-o', 'parent=lan0', 'two');
      expect(
        await refused(
          '--subnet',
          '10.11.0.0/24',
          '-o',
          'parent=lan0',
          '-o',
          'macvlan_mode=passthru',
          'three',
        ),
      ).toBe(`cannot use mode passthru, macvlan network ${id} is already using parent interface lan0`);
      await d.docker('network', 'rm', 'one', 'two');
      const through = await create(...WIRE, '-o', 'macvlan_mode=passthru', 'one');
      expect(await refused('--subnet', '10.10.0.0/24', '-o', 'parent=lan0', 'two')).toBe(
        `macvlan network ${through} is already using parent interface lan0 in mode passthru`,
      );
      await sleeper('aa', '--network', 'one');
      expect(await answers(ping('aa', '10.9.0.1'))).toBe(true);
      const second = await d.docker.try(['run', '-d', '--name', 'bb', '--network', 'one', 'alpine', 'true']);
      expect(second.stderr).toContain('parent interface lan0 is in use in passthru mode');
      await d.docker('restart', 'aa');
      expect(await answers(ping('aa', '10.9.0.1'))).toBe(true);
    });
  });
});

describe('D6 crashes and meddling', () => {
  test('D6 a restart of the daemon and a kill -9 adopt what is there: connections go on', async () => {
    await lan();
    await d.docker(
      'run',
      '-d',
      '--name',
      'echo',
      '--stop-timeout',
      '0',
      '--network',
      'lan',
      'nettools',
      'socat',
      'TCP-LISTEN:7,fork,reuseaddr',
      'EXEC:cat',
    );
    const address = await addressOf('echo', 'lan');
    await until('the server listens', () => answers(d.outside.try(`nc -z -w1 ${address} 7`)));
    const connection = await openConnection(d, address, 7);
    const before = await kernelState(d);
    const index = await inside('echo', 'cat /sys/class/net/eth0/ifindex');
    await d.restart();
    expect(await connection.say('one')).toBe('one');
    await d.kill9();
    expect(await connection.say('two')).toBe('two');
    await d.start();
    expect(await connection.say('three')).toBe('three');
    connection.close();
    expect(await inside('echo', 'cat /sys/class/net/eth0/ifindex')).toBe(index);
    expect(await kernelState(d)).toEqual(before);
    await sleeper('late', '--network', 'lan');
    expect(await addressOf('late', 'lan')).not.toBe(address);
    expect(await answers(ping('late', 'echo'))).toBe(true);
  });

  test('D6 a parent that vanishes: the daemon goes on and says what is missing; with the parent all comes back', async () => {
    await withWire(async () => {
      await create(...WIRE, 'wire');
      await sleeper('aa', '--network', 'wire');
      await d.docker('network', 'create', 'other');
      await sleeper('bb', '--network', 'other');
      await d.host('ip link delete lan0');
      await until('it is noticed', async () => d.log().includes('parent interface lan0 was not found'));
      expect(await answers(ping('bb', 'bb'))).toBe(true);
      const again = await d.docker.try(['restart', 'aa']);
      expect(again.stderr).toContain('the requested parent interface lan0 was not found on the Docker host');
      await d.kill9();
      await d.start();
      expect(await d.docker('ps', '--format', '{{.Names}}')).toBe('bb');
      const outside = d.world.netns.outside;
      await d.host(`ip link add lan0 type veth peer name lan0 netns ${outside} && ip link set lan0 up`);
      await d.outside('ip address add 10.9.0.1/24 dev lan0; ip link set lan0 up');
      await d.docker('start', 'aa');
      expect(await answers(ping('aa', '10.9.0.1'))).toBe(true);
    });
  });

  test('D6 a parent that comes back has its containers’ interfaces again, without a restart', async () => {
    await withWire(async () => {
      await create(...WIRE, 'wire');
      await sleeper('aa', '--network', 'wire');
      await d.host(
        `ip link delete lan0; sleep 0.3; ip link add lan0 type veth peer name lan0 netns ${d.world.netns.outside} && ip link set lan0 up`,
      );
      await d.outside('ip address add 10.9.0.1/24 dev lan0; ip link set lan0 up');
      await until('it is back', () => answers(ping('aa', '10.9.0.1')), 5_000);
    });
  });

  test('D6 an interface deleted inside a container comes back with its MAC, address and route', async () => {
    await lan();
    await sleeper('aa', '--network', 'lan');
    const view = () =>
      inside('aa', 'ip -o addr show dev eth0 scope global; cat /sys/class/net/eth0/address; ip route');
    const before = (await view()).replace(/^\d+: /, '');
    const pid = await inspect('{{.State.Pid}}', 'aa');
    await d.host(`nsenter --net=/proc/${pid}/ns/net ip link delete eth0`);
    await until('it is back', () => answers(ping('aa', OUTSIDE.ipv4)), 3_000);
    expect((await view()).replace(/^\d+: /, '')).toBe(before);
  });
});

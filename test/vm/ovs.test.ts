/** D10 on Open vSwitch's kernel datapath, which only Debian's kernel has: forwarding, VLANs, tunnels, repair, adoption. */
import { afterEach, describe, expect, test } from 'vitest';
import { captured } from '../support/capture.js';
import { portsAreAllowedOrDenied, sendingIsLimited } from '../support/ovs-cases.js';
import { ovsDaemonForThisFile, ovsPhrasesFor, switchOf } from '../support/ovs-daemon.js';
import { run, until } from '../support/run.js';
import { HOST, OUTSIDE } from '../support/world.js';

// The gre module gives each namespace gre0, gretap0 and erspan0 otherwise, and nobody takes them away.
const world = ovsDaemonForThisFile(() => run('sysctl', ['-qw', 'net.core.fb_tunnels_only_for_init_net=1']));
const { d, ovs } = world;
const { addressOf, sleeper, ping, reaches, again, portOf, create } = ovsPhrasesFor(world);

describe('D10 the kernel datapath', () => {
  test('D10 chosen by itself; two containers reach each other by name, and a published port answers', async () => {
    const bridge = switchOf(await create('net'));
    await sleeper('ca', '--network', 'net', '-p', '8080:80');
    await sleeper('cb', '--network', 'net');
    expect(await ovs().vsctl('get', 'bridge', bridge, 'datapath_type')).toMatch(/^(system|"")$/);
    expect(await d.host(`ip -d -o link show ${bridge}`)).toContain('openvswitch');
    expect(await d.host(`ip -d -o link show ${await portOf('ca', 'net')}`)).toContain('master ovs-system');
    expect(await reaches('ca', 'cb')).toBe(true);
    expect(await reaches('cb', 'ca')).toBe(true);
    expect(await reaches('cb', OUTSIDE.internet)).toBe(true);
    await d.docker('exec', '-d', 'ca', 'sh', '-c', 'while true; do echo served | nc -l -p 80; done');
    const inside = () => d.docker.try(['exec', 'cb', 'nc', '-w', '5', 'ca', '80']);
    expect(await until('TCP by name', async () => (await inside()).stdout || undefined)).toBe('served\n');
    const outside = () => d.outside.try(`nc -w 5 ${HOST.ipv4} 8080 </dev/null`);
    expect(await until('the published port', async () => (await outside()).stdout || undefined)).toBe(
      'served\n',
    );
    // Forwarding is the kernel's: it has the flows, and the veths are its ports.
    expect(await ovs().appctl('dpctl/show', 'system@ovs-system')).toContain(await portOf('ca', 'net'));
    await d.clear();
    expect(await ovs().vsctl('list-br')).toBe('');
    expect(await d.host('ip -o link')).not.toContain('ovs-');
  });

  test('D10 a VLAN is an island; on the uplink it is tagged', async () => {
    await d.host(
      `ip link add up0 type veth peer name far0 netns ${d.world.netns.outside}; ip link set up0 up`,
    );
    try {
      await create(
        'ten',
        '-o',
        'bridge=sw0',
        '-o',
        'vlan=10',
        '-o',
        'uplink=up0',
        '--subnet',
        '10.10.0.0/24',
      );
      await create('twenty', '-o', 'bridge=sw0', '-o', 'vlan=20', '--subnet', '10.20.0.0/24');
      await sleeper('ca', '--network', 'ten');
      await sleeper('cb', '--network', 'ten');
      await sleeper('cc', '--network', 'twenty');
      const neighbour = '10.10.0.77';
      const neighbourIn = (vlan: number): Promise<string> =>
        d.outside(`
          set -e
          ip link set far0 up
          for l in far0.10 far0.20; do ip link del $l 2>/dev/null || true; done
          ip link add link far0 name far0.${vlan} address 02:00:00:00:00:77 type vlan id ${vlan}
          ip address add ${neighbour}/24 dev far0.${vlan}
          ip link set far0.${vlan} up`);
      expect(await reaches('ca', 'cb')).toBe(true);
      expect(await reaches('ca', await addressOf('cc', 'twenty'))).toBe(false);
      await neighbourIn(10);
      await again('the neighbour in VLAN 10', 'ca', neighbour);
      const heard = await captured(d.outside, 'far0', 'vlan 10 and icmp', () => ping('ca', neighbour));
      expect(heard).toMatch(/vlan 10, .*10\.10\.0\.\d+ > 10\.10\.0\.\d+: ICMP echo/s);
      await neighbourIn(20);
      expect(await reaches('ca', neighbour)).toBe(false);
      await neighbourIn(10);
      await again('the neighbour back in VLAN 10', 'ca', neighbour);
      await d.clear();
      expect(await ovs().vsctl('list-br')).toBe('');
    } finally {
      await d.host('ip link del up0');
    }
  });

  test('D10 a port taken out, a deleted bridge, lost flows and a new ovs-vswitchd are repaired; after kill -9 the next daemon finds all as it was', async () => {
    const bridge = switchOf(await create('net'));
    await sleeper('ca', '--network', 'net');
    await sleeper('cb', '--network', 'net');
    await ovs().vsctl('del-port', bridge, await portOf('cb', 'net'));
    await again('the port is back', 'ca', 'cb');
    await ovs().ofctl('del-flows', bridge);
    await again('the flows are back', 'ca', 'cb');
    await ovs().vsctl('del-br', bridge);
    await again('the bridge is back', 'ca', 'cb');
    await ovs().restart('ovs-vswitchd');
    await again('ovs-vswitchd was restarted', 'ca', 'cb');
    const before = await ovs().ofctl('dump-flows', bridge, '--no-stats');
    const index = await d.host(`cat /sys/class/net/${await portOf('ca', 'net')}/ifindex`);
    await d.kill9();
    await d.start();
    expect(await reaches('ca', 'cb')).toBe(true);
    expect(await ovs().ofctl('dump-flows', bridge, '--no-stats')).toBe(before);
    expect(await d.host(`cat /sys/class/net/${await portOf('ca', 'net')}/ifindex`)).toBe(index);
  });
});

describe('D10 limits and access lists on the kernel datapath', () => {
  test('D10 what a container may send is limited', () => sendingIsLimited(world, 4));

  test('D10 an access list allows and denies TCP ports, the endpoint’s own rules first', () =>
    portsAreAllowedOrDenied(world));
});

describe('D10 tunnels, with a device of the plain kernel as the peer', () => {
  const PEER = '10.42.0.200';
  const tunnelled = (type: string, remote: string, key: number): Promise<string> =>
    create(
      'far',
      ...['-o', `tunnel=${type}`, '-o', `remote_ip=${remote}`, '-o', `key=${key}`],
      ...['--subnet', '10.42.0.0/24', '--gateway', '10.42.0.1', '--ip-range', '10.42.0.0/25'],
    );
  afterEach(async () => void (await d.outside.try('ip link del peer0')));

  test.each([
    {
      type: 'vxlan',
      remote: OUTSIDE.ipv4,
      key: 42,
      device: `vxlan id 42 remote ${HOST.ipv4} local ${OUTSIDE.ipv4} dev eth0 dstport 4789`,
      filter: `src host ${HOST.ipv4} and udp dst port 4789`,
      wire: /VXLAN, flags \[I\] .*vni 42$/m,
      mtu: 1450,
    },
    {
      type: 'gre',
      remote: OUTSIDE.ipv4,
      key: 7,
      device: `gretap remote ${HOST.ipv4} local ${OUTSIDE.ipv4} key 7`,
      filter: `src host ${HOST.ipv4} and ip proto 47`,
      wire: /GREv0, Flags \[key present\], key=0x7, proto TEB/,
      mtu: 1458,
    },
    {
      type: 'vxlan',
      remote: OUTSIDE.ipv6,
      key: 43,
      device: `vxlan id 43 remote ${HOST.ipv6} local ${OUTSIDE.ipv6} dev eth0 dstport 4789`,
      filter: `src host ${HOST.ipv6} and udp dst port 4789`,
      wire: /VXLAN, flags \[I\] .*vni 43$/m,
      mtu: 1430,
    },
    {
      type: 'gre',
      remote: OUTSIDE.ipv6,
      key: 8,
      device: `ip6gretap remote ${HOST.ipv6} local ${OUTSIDE.ipv6} key 8 encaplimit none`,
      filter: `src host ${HOST.ipv6} and ip6 proto 47`,
      wire: /GREv0, Flags \[key present\], key=0x8, proto TEB/,
      mtu: 1438,
    },
  ])('D10 $type to $remote, key $key', async ({ type, remote, key, device, filter, wire, mtu }) => {
    await tunnelled(type, remote, key);
    await sleeper('ca', '--network', 'far');
    await d.outside(`
      set -e
      ip link add peer0 type ${device}
      ip link set peer0 mtu ${mtu} up
      ip address add ${PEER}/24 dev peer0`);
    await again('the peer', 'ca', PEER);
    expect(await d.outside(`ping -c 1 -W 5 ${await addressOf('ca', 'far')}`)).toContain('1 received');
    expect(await captured(d.outside, 'eth0', filter, () => ping('ca', PEER))).toMatch(wire);
    // The largest packet the container may send passes whole: the MTU leaves room for the encapsulation.
    const whole = ['exec', 'ca', 'ping', '-c', '1', '-W', '5', '-s', String(mtu - 28), PEER];
    expect((await d.docker.try(whole)).code).toBe(0);
    expect(await d.docker('exec', 'ca', 'cat', '/sys/class/net/eth0/mtu')).toBe(String(mtu));
    const fragments = await d.outside('nstat -asz IpReasmReqds Ip6ReasmReqds | grep Reasm');
    expect(fragments).toMatch(/^IpReasmReqds +0 .*\nIp6ReasmReqds +0 /);
    await d.clear();
    expect(await d.host('ip -o link')).not.toMatch(/vxlan_sys|gre_sys|ovs-/);
  });
});

/** D10: networks on Open vSwitch, through the real docker client, on an Open vSwitch of this file's own. */
import { describe, expect, test } from 'vitest';
import { portsAreAllowedOrDenied, receivingIsShaped, sendingIsLimited } from '../support/ovs-cases.js';
import { ovsDaemonForThisFile, ovsPhrasesFor, switchOf } from '../support/ovs-daemon.js';
import { until } from '../support/run.js';

const world = ovsDaemonForThisFile();
const { d, ovs } = world;
const { addressOf, address6Of, sleeper, reaches, refusal, inspect, create, within } = ovsPhrasesFor(world);

describe('D10 a network on Open vSwitch', () => {
  test('D10 containers reach each other by name, the host, the internet; nothing is left of it', async () => {
    const id = await create('net');
    await sleeper('ca', '--network', 'net');
    await sleeper('cb', '--network', 'net');
    expect(await reaches('ca', 'cb')).toBe(true);
    expect(await reaches('cb', '198.51.100.1')).toBe(true);
    await d.docker('exec', '-d', 'cb', 'sh', '-c', 'echo hello | nc -l -p 9000');
    expect(
      await until(
        'TCP',
        async () => (await d.docker.try(['exec', 'ca', 'nc', 'cb', '9000'])).stdout || undefined,
      ),
    ).toBe('hello\n');
    expect(await ovs().vsctl('list-ports', switchOf(id))).toMatch(/^veth[0-9a-f]{11}\nveth[0-9a-f]{11}$/);
    await d.clear();
    expect(await ovs().vsctl('list-br')).toBe('');
    expect(await d.host('ip -o link')).not.toContain('ovs-');
  });

  test('D10 IPv6, published ports, internal', async () => {
    await create('six', '--ipv6', '--subnet', 'fd00:10::/64');
    await sleeper('ca', '--network', 'six', '-p', '8080:80');
    await sleeper('cb', '--network', 'six');
    expect(await reaches('cb', await address6Of('ca', 'six'))).toBe(true);
    await d.docker('exec', '-d', 'ca', 'sh', '-c', 'while true; do echo served | nc -l -p 80; done');
    const fetch = (): Promise<string> => d.outside('nc -w 2 192.0.2.2 8080 </dev/null');
    expect(await until('the port answers', async () => (await fetch().catch(() => '')) || undefined)).toBe(
      'served',
    );
    await create('closed', '--internal');
    await sleeper('cc', '--network', 'closed');
    expect(await reaches('cc', '198.51.100.1')).toBe(false);
  });

  test('D10 a VLAN each on one bridge: apart from each other; a trunk port and the uplink carry them tagged', async () => {
    await d.host('ip link add up0 type veth peer name far0; ip link set far0 up; ip link set up0 up');
    await create('ten', '-o', 'bridge=sw0', '-o', 'vlan=10', '-o', 'uplink=up0');
    await create('twenty', '-o', 'bridge=sw0', '-o', 'com.viaduct.ovs.vlan=20');
    await create('all', '-o', 'bridge=sw0', '--internal');
    await sleeper('ca', '--network', 'ten');
    await sleeper('cb', '--network', 'ten');
    await sleeper('cc', '--network', 'twenty');
    await d.docker('create', '--name', 'ct', '--network', 'all', 'alpine', 'sleep', '600');
    await d.docker('network', 'disconnect', 'all', 'ct');
    await d.docker('network', 'connect', '--driver-opt', 'com.viaduct.ovs.trunks=10;20', 'all', 'ct');
    await d.docker('start', 'ct');
    const heard = d.host('timeout 3 tcpdump -nn -e -i far0 vlan 2>/dev/null || true');
    const trunk = within('ct', 'sh', '-c', 'timeout 3 tcpdump -nn -e -i eth0 vlan 2>/dev/null || true');
    expect(await reaches('ca', await addressOf('cb', 'ten'))).toBe(true);
    expect(await reaches('ca', await addressOf('cc', 'twenty'))).toBe(false);
    const nobody = (await addressOf('cb', 'ten')).replace(/\d+$/, '250');
    expect(await reaches('cb', nobody)).toBe(false);
    expect(await heard).toMatch(/vlan 10, .*ARP/);
    expect(await trunk).toMatch(/vlan 10, .*ARP/);
    expect(await ovs().vsctl('get', 'port', 'up0', 'tag')).toBe('[]');
    await d.clear();
    expect(await d.host('ip -o link show up0')).toContain('up0');
    await d.host('ip link delete up0');
  });

  test('D10 what a container may send is limited, and what is sent to it is shaped', async () => {
    await sendingIsLimited(world, 20);
    await receivingIsShaped(world, 20);
  });

  test('D10 an access list allows and denies TCP ports, the endpoint’s own rules first', () =>
    portsAreAllowedOrDenied(world));
});

describe('D10 bad input changes nothing', () => {
  test.each([
    ['vlan=0', /vlan.*1 to 4094/],
    ['vlan=4095', /vlan.*1 to 4094/],
    ['vlna=10', /unknown option vlna for driver ovs/],
    ['trunks=1,x', /trunks/],
    ['ingress_rate=-1', /ingress_rate/],
    ['ingress_burst=5', /needs an ingress_rate/],
    ['tunnel=ipip', /tunnel.*vxlan, gre/],
    ['tunnel=vxlan', /remote_ip/],
    ['key=5', /needs option tunnel/],
    ['acl=forbid out tcp', /begins with allow or deny/],
    ['acl=deny out icmp 10.0.0.0/8 22', /only tcp and udp have ports/],
    ['datapath=dpdk', /datapath/],
    ['uplink=nothere0', /no interface nothere0/],
    ['uplink=eth0', /has the address 192\.0\.2\.2/],
    ['gateway_mode=yes', /gateway_mode/],
  ])('D10 -o %s', async (option, message) => {
    const [key = '', value = ''] = option.split(/=(.*)/s);
    const answer = await refusal('POST', '/networks/create', {
      Name: 'bad',
      Driver: 'ovs',
      Options: { [key]: value },
    });
    expect([400, 409]).toContain(answer.status);
    expect(answer.message).toMatch(message);
    expect(await d.docker('network', 'ls', '-q', '--filter', 'driver=ovs')).toBe('');
    expect(await ovs().vsctl('list-br')).toBe('');
  });
  test('D10 of an endpoint', async () => {
    await create('net');
    await sleeper('ca');
    const connect = await d.docker.try([
      'network',
      'connect',
      '--driver-opt',
      'com.viaduct.ovs.vlan=9999',
      'net',
      'ca',
    ]);
    expect(connect.code).not.toBe(0);
    expect(connect.stderr).toMatch(/vlan.*1 to 4094/);
  });
});

describe('D10 faults', () => {
  const talks = async (): Promise<boolean> => reaches('ca', 'cb');
  const again = (what: string): Promise<true> => until(what, async () => (await talks()) || undefined, 8_000);
  const pair = async (): Promise<string> => {
    const id = await create('net');
    await sleeper('ca', '--network', 'net');
    await sleeper('cb', '--network', 'net');
    return switchOf(id);
  };

  test('D10 a deleted bridge, deleted flows and either process restarted are repaired within a second or so', async () => {
    const bridge = await pair();
    await ovs().vsctl('del-br', bridge);
    await again('the bridge is back');
    await ovs().ofctl('del-flows', bridge);
    await again('the flows are back');
    await ovs().restart('ovs-vswitchd');
    await again('ovs-vswitchd was restarted');
    await ovs().restart('ovsdb-server');
    await again('ovsdb-server was restarted');
    expect(await reaches('ca', '198.51.100.1')).toBe(true);
  });

  test('D10 kill -9: containers go on, and the next daemon finds all as it was', async () => {
    const bridge = await pair();
    const before = await ovs().ofctl('dump-flows', bridge, '--no-stats');
    await d.kill9();
    await d.start();
    expect(await talks()).toBe(true);
    expect(await ovs().ofctl('dump-flows', bridge, '--no-stats')).toBe(before);
    await d.docker('rm', '-f', 'ca', 'cb');
    await d.docker('network', 'rm', 'net');
    expect(await ovs().vsctl('list-br')).toBe('');
  });

  test('D10 without Open vSwitch: one clear sentence, 503; what goes meanwhile is gone when it is back', async () => {
    await pair();
    await ovs().end('ovs-vswitchd');
    await ovs().end('ovsdb-server');
    const answer = await refusal('POST', '/networks/create', { Name: 'more', Driver: 'ovs' });
    expect(answer.status).toBe(503);
    expect(answer.message).toMatch(/Open vSwitch is not running.*apt install openvswitch-switch/);
    await d.docker('rm', '-f', 'ca');
    await d.restart();
    expect(await inspect('{{.State.Running}}', 'cb')).toBe('true');
    await d.docker('rm', '-f', 'cb');
    await d.docker('network', 'rm', 'net');
    await ovs().start('ovsdb-server');
    await ovs().start('ovs-vswitchd');
    await until('nothing of ours is left', async () => (await ovs().vsctl('list-br')) === '' || undefined);
  });

  /** What is refused at the start is tried again a few times; after that only the interface's coming can bring it about. */
  const noMoreAttempts = async (): Promise<void> => {
    const attempts = (): number => d.log().split('repair failed').length;
    await until('nothing is tried any more', async () => {
      const before = attempts();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return attempts() === before;
    });
  };

  test('D10 a start with an empty database and without the uplink: the rest works, the uplink comes when it can', async () => {
    const wire = (): Promise<string> => d.host('ip link add up0 type veth peer name far0');
    await wire();
    await pair();
    const own = switchOf(await create('own', '-o', 'uplink=up0'));
    for (const name of ['cc', 'cd']) await sleeper(name, '--network', 'own');
    await d.kill9();
    await d.host('ip link delete up0');
    await ovs().wipe();
    await d.start();
    expect(await talks()).toBe(true);
    await until('the log tells it', () => /there is no interface up0 on this host/.test(d.log()));
    expect(await inspect('{{.State.Running}}', 'cc')).toBe('true');
    await noMoreAttempts();
    await wire();
    await until('the uplink is plugged in', async () =>
      (await ovs().tryVsctl('list-ports', own)).stdout.split('\n').includes('up0'),
    );
    expect(await reaches('cc', 'cd')).toBe(true);
    await d.clear();
    await d.host('ip link delete up0');
  });

  test('D10 the same on a named bridge, which goes on without its uplink', async () => {
    const wire = (): Promise<string> => d.host('ip link add up0 type veth peer name far0');
    await wire();
    await create('net', '-o', 'bridge=sw0', '-o', 'vlan=10', '-o', 'uplink=up0');
    for (const name of ['ca', 'cb']) await sleeper(name, '--network', 'net');
    await d.kill9();
    await d.host('ip link delete up0');
    await ovs().wipe();
    await d.start();
    expect(await talks()).toBe(true);
    expect(await ovs().vsctl('list-ports', 'sw0')).not.toContain('up0');
    await noMoreAttempts();
    await wire();
    await until('the uplink is plugged in', async () =>
      (await ovs().vsctl('list-ports', 'sw0')).split('\n').includes('up0'),
    );
    expect(await talks()).toBe(true);
    await d.clear();
    await d.host('ip link delete up0');
  });

  test('D10 an Open vSwitch that hangs costs a second once', async () => {
    ovs().signal('ovsdb-server', 'SIGSTOP');
    try {
      const started = performance.now();
      for (let i = 0; i < 5; i += 1)
        expect((await refusal('POST', '/networks/create', { Name: `n${i}`, Driver: 'ovs' })).status).toBe(
          503,
        );
      expect(performance.now() - started).toBeLessThan(4_500);
    } finally {
      ovs().signal('ovsdb-server', 'SIGCONT');
    }
    await create('net');
  });
});

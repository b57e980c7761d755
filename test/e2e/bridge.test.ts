/** The default bridge and user-defined bridges: what differs between them, and each network's own settings. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { HOST, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, subnetOf, gatewayOf, addressOf, sleeper, ping, inside, server } = phrasesFor(d);
const reached = async (from: string, to: string) => (await ping(from, to)).code === 0;

describe('D1 the default bridge', () => {
  test('D1 docker0 has 172.17.0.1/16; a container gets eth0, an address, a default route', async () => {
    await sleeper('c1');
    expect(await d.host('ip -4 -o addr show docker0')).toContain('172.17.0.1/16');
    const address = await addressOf('c1');
    expect(address).toMatch(/^172\.17\.0\.\d+$/);
    expect(
      await inspect('{{.NetworkSettings.Networks.bridge.Gateway}} {{.HostConfig.NetworkMode}}', 'c1'),
    ).toMatch(/^172\.17\.0\.1 (default|bridge)$/);
    expect(await inside('c1', 'ls /sys/class/net')).toBe('eth0\nlo');
    expect(await inside('c1', 'ip -4 -o addr show eth0')).toContain(`${address}/16`);
    expect(await inside('c1', 'ip route')).toContain('default via 172.17.0.1 dev eth0');
  });
  test('D1 each container has a veth pair whose other end is a port of docker0', async () => {
    const ports = async () =>
      (await d.host('ip -o link show master docker0')).split('\n').filter((l) => l !== '').length;
    await sleeper('c1');
    await sleeper('c2');
    expect(await ports()).toBe(2);
    const peer = await inside('c1', 'cat /sys/class/net/eth0/iflink');
    expect(await d.host(`ip -o link show master docker0 | grep -c '^${peer}: veth'`)).toBe('1');
  });
  test('D1 what leaves is masqueraded behind the host', async () => {
    const server = d.outside(`timeout 20 socat TCP-LISTEN:8000,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'`);
    await d.docker('run', '-d', '--name', 'c1', 'nettools', 'sleep', '600');
    expect(await inside('c1', `until nc -w 5 ${OUTSIDE.internet} 8000; do sleep 0.1; done`)).toBe(HOST.ipv4);
    await server;
  });
  test('D1 containers reach each other by address, not by name', async () => {
    await sleeper('c1');
    await sleeper('c2');
    expect(await reached('c1', await addressOf('c2'))).toBe(true);
    expect(await reached('c1', 'c2')).toBe(false);
    expect(await inside('c1', 'cat /etc/resolv.conf')).toContain(`nameserver ${OUTSIDE.ipv4}`);
  });
  test('D1 the host reaches a container by its address, and a container the host', async () => {
    await sleeper('c1');
    await d.host(`ping -c 1 -W 1 ${await addressOf('c1')}`);
    expect(await reached('c1', '172.17.0.1')).toBe(true);
    expect(await reached('c1', HOST.ipv4)).toBe(true);
  });
  test('D1 network aliases and --ip are for user-defined networks', async () => {
    const alias = await d.docker.try(['run', '--rm', '--network-alias', 'db', 'alpine', 'true']);
    expect(alias.code).toBe(125);
    expect(alias.stderr).toMatch(
      /network-scoped alias(es are|) (only )?supported only|network-scoped aliases are only supported/,
    );
    const ip = await d.docker.try(['run', '--rm', '--ip', '172.17.0.9', 'alpine', 'true']);
    expect(ip.code).toBe(125);
    expect(ip.stderr).toContain('user');
  });
});

describe('D2 user-defined bridges', () => {
  test('D2 names resolve, in both directions', async () => {
    await d.docker('network', 'create', 'mynetwork');
    for (const name of ['con1', 'con2']) await sleeper(name, '--network', 'mynetwork');
    expect(await reached('con2', 'con1')).toBe(true);
    expect(await reached('con1', 'con2')).toBe(true);
    expect(await inside('con1', 'cat /etc/resolv.conf')).toContain('nameserver 127.0.0.11');
  });
  test('D2 networks are isolated: neither name nor address, nor the default bridge', async () => {
    for (const name of ['red', 'blue']) {
      await d.docker('network', 'create', name);
      await sleeper(`in-${name}`, '--network', name);
    }
    await sleeper('in-default');
    expect(await reached('in-red', 'in-blue')).toBe(false);
    expect(await reached('in-red', await addressOf('in-blue', 'blue'))).toBe(false);
    expect(await reached('in-red', await addressOf('in-default'))).toBe(false);
    expect(await reached('in-default', await addressOf('in-red', 'red'))).toBe(false);
    expect(await reached('in-red', OUTSIDE.internet)).toBe(true);
  });
  test('D2 icc=false: neighbours do not talk, the way out stays', async () => {
    await d.docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'mute');
    for (const name of ['c1', 'c2']) await sleeper(name, '--network', 'mute');
    expect(await reached('c1', await addressOf('c2', 'mute'))).toBe(false);
    expect(await reached('c1', OUTSIDE.internet)).toBe(true);
  });
  test('D2 mtu and name of the bridge', async () => {
    await d.docker(
      'network',
      'create',
      '-o',
      'com.docker.network.driver.mtu=1400',
      '-o',
      'com.docker.network.bridge.name=br-mtu',
      'small',
    );
    await sleeper('c1', '--network', 'small');
    expect(await inside('c1', 'cat /sys/class/net/eth0/mtu')).toBe('1400');
    expect(await d.host('cat /sys/class/net/br-mtu/mtu')).toBe('1400');
  });
  test('D2 without masquerading the container’s own address goes out', async () => {
    await d.docker(
      'network',
      'create',
      '-o',
      'com.docker.network.bridge.enable_ip_masquerade=false',
      '--subnet',
      '10.90.0.0/24',
      'plain',
    );
    await d.docker('run', '-d', '--name', 'c1', '--network', 'plain', 'nettools', 'sleep', '600');
    await d.outside(`ip route replace 10.90.0.0/24 via ${HOST.ipv4}`);
    const server = d.outside(`timeout 20 socat TCP-LISTEN:8001,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'`);
    const seen = await inside('c1', `until nc -w 5 ${OUTSIDE.internet} 8001; do sleep 0.1; done`);
    expect(seen).toBe('10.90.0.2');
    await server;
    await d.outside('ip route del 10.90.0.0/24');
  });
  test('D2 an unpublished port is not reachable by routing to the container’s address', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await server('c1', '--network', 'mynetwork');
    const address = await addressOf('c1', 'mynetwork');
    expect(await d.host(`curl -s --http0.9 --max-time 2 http://${address}/`)).not.toBe('');
    await d.outside(`ip route replace ${await subnetOf('mynetwork')} via ${HOST.ipv4}`);
    const direct = await d.outside.try(`curl -s --http0.9 --max-time 2 http://${address}/`);
    await d.outside(`ip route del ${await subnetOf('mynetwork')}`);
    expect(direct.code).not.toBe(0);
  });
  test('D2 the seeds’ exercise: create, inspect the driver, connect nginx’s neighbour, disconnect', async () => {
    await d.docker('network', 'create', '--driver', 'bridge', 'my-net');
    expect(await inspect('{{.Driver}}', 'my-net')).toBe('bridge');
    await sleeper('my-nginx', '--network', 'my-net');
    await sleeper('other');
    await d.docker('network', 'connect', 'my-net', 'other');
    expect(await reached('other', 'my-nginx')).toBe(true);
    expect(await inside('other', 'ip route')).toContain('default via 172.17.0.1');
    await d.docker('network', 'disconnect', 'my-net', 'other');
    expect(await reached('other', 'my-nginx')).toBe(false);
    expect(await reached('my-nginx', await gatewayOf('my-net'))).toBe(true);
  });
});

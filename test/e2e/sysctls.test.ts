/** Sysctls: those that every container begins with, those of its user, and those that the host needs for forwarding. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, inside, sleeper, address6Of, addressOf, ping } = phrasesFor(d);

describe('what a container begins with', () => {
  const SHOWN =
    'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range | xargs';
  const shown = (...flags: string[]) => d.docker('run', '--rm', ...flags, 'alpine', 'sh', '-c', SHOWN);

  test('N F4 M8 U6: who is not root listens below 1024 and pings', async () => {
    await d.docker('network', 'create', 'kn');
    const listens = 'socat -u TCP-LISTEN:80 /dev/null & sleep 0.3; ss -ltn | grep -c :80; kill %1';
    const user = ['run', '--rm', '--user', '1000', '--network', 'kn', '--cap-drop', 'ALL', 'nettools'];
    expect((await d.docker(...user, 'sh', '-c', listens)).trim()).toBe('1');
    for (const network of ['bridge', 'kn', 'none'])
      expect(await shown('--network', network), network).toContain('0 0 2147483647');
    await sleeper('owner', '--network', 'kn');
    const gateway = await inspect('{{.NetworkSettings.Networks.kn.Gateway}}', 'owner');
    await d.docker(...user, 'ping', '-c', '1', '-W', '2', gateway.trim());
  });

  test('N F4 M8: but not what its user says otherwise, nor in a namespace that it does not own', async () => {
    const asked = '--sysctl=net.ipv4.ip_unprivileged_port_start=99';
    expect(await shown(asked)).toContain('99 0 2147483647');
    await d.host('sysctl -qw net.ipv4.ip_unprivileged_port_start=1000');
    expect(await shown('--network', 'host')).toContain('1000 1 0');
    await sleeper('owner', asked, '--sysctl', 'net.ipv4.ping_group_range=5 6');
    expect(await shown('--network', 'container:owner')).toContain('99 5 6');
  });
});

describe('IPv6 that a user takes away', () => {
  const addresses = (name: string) => inside(name, 'ip -6 -o address show dev eth0');
  const nothingOf = async (name: string) => {
    expect((await address6Of(name, 'six')).trim()).toBe('');
    expect((await inspect('{{.NetworkSettings.Networks.six.IPv6Gateway}}', name)).trim()).toBe('');
    expect(await addresses(name)).toBe('');
    expect(await inside('asks', `getent ahostsv6 ${name} || true`)).not.toMatch(/^fd/m);
    expect((await ping('asks', (await addressOf(name, 'six')).trim())).code).toBe(0);
  };
  const network = async () => {
    await d.docker('network', 'create', '--ipv6', 'six');
    await d.docker('run', '-d', '--name', 'asks', '--network', 'six', 'nettools', 'sleep', '600');
  };

  test('M6: by a sysctl of the whole container, which no repair undoes', async () => {
    await network();
    await sleeper('off', '--network', 'six', '--sysctl', 'net.ipv6.conf.all.disable_ipv6=1');
    await nothingOf('off');
    expect(await inside('off', 'cat /etc/hosts')).not.toContain(':');
    const link = (await d.host('ls /sys/class/net | grep ^veth')).trim().split('\n');
    for (const name of link) await d.host(`ip link set ${name} down`);
    for (const name of link)
      await d.host(`until ip link show up dev ${name} | grep -q .; do sleep 0.05; done`);
    await d.host('nft delete table inet viaduct || true');
    await d.restart();
    await nothingOf('off');
    await d.docker('network', 'create', '--ipv6', 'more');
    await d.docker('network', 'connect', 'more', 'off');
    expect(await inside('off', 'ip -6 -o address show')).toBe('');
    await d.docker('network', 'disconnect', 'more', 'off');
  });

  test('M7: by a sysctl of one interface, also on a network of IPv6 alone', async () => {
    await network();
    const off = 'driver-opt=com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.disable_ipv6=1';
    await sleeper('off', '--network', `name=six,${off}`);
    await nothingOf('off');
    expect(await inside('off', 'cat /etc/hosts')).toContain('::1');
    await d.docker('network', 'create', '--ipv6', '--ipv4=false', 'only');
    await sleeper('bare', '--network', `name=only,${off}`);
    expect(await inside('bare', 'ip -o address show dev eth0')).toBe('');
  });
});

/** Sysctls: those that every container begins with, those of its user, and those that the host needs for forwarding. */
import { describe, expect, test } from 'vitest';
import { ADVERTISEMENT } from '../support/frames.js';
import { daemonForThisFile, phrasesFor, TELL_PEER } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

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

describe('what the host needs', () => {
  const value = (name: string) => d.host(`sysctl -n ${name}`);
  const told = (name: string) => d.log().split(`"sysctl":"${name}"`).length - 1;
  /** Another program writes 0: within a second it is 1 again, and that is told once. */
  const putBack = async (name: string, write = `sysctl -qw ${name}=0`) => {
    const before = told(name);
    const began = Number(await d.host(`${write} && date +%s%3N`));
    await until(`${name} is put back`, async () => (await value(name)) === '1');
    const line = await until('and that is told', () =>
      d
        .log()
        .split('\n')
        .findLast((l) => l.includes(name)),
    );
    expect(JSON.parse(line)).toMatchObject({ msg: 'repaired what was changed from outside', found: '0' });
    expect(JSON.parse(line).time - began).toBeLessThan(3_000); // it looks once a second, if the machine lets it
    expect(told(name)).toBe(before + 1);
    if (name === 'net.ipv4.ip_forward') expect(told('net.ipv4.conf.docker0.forwarding')).toBe(0);
  };

  test('N F3 A K13: forwarding and route_localnet are put back within a second', async () => {
    const id = await d.docker('network', 'create', '--ipv6', 'six');
    const bridge = `br-${id.slice(0, 12)}`;
    await d.docker(
      'run',
      '-d',
      '--name',
      'web',
      '--network',
      'six',
      '-p',
      '8085:80',
      'nettools',
      ...TELL_PEER,
    );
    const served = (from: typeof d.host, address: string) =>
      until(
        `${address} answers`,
        async () => (await from.try(`curl -s --http0.9 -m 1 ${address}:8085`)).stdout !== '',
      );
    await served(d.host, '127.0.0.1');
    await putBack('net.ipv4.ip_forward');
    await putBack('net.ipv6.conf.all.forwarding');
    await putBack(`net.ipv4.conf.${bridge}.forwarding`);
    await putBack(`net.ipv4.conf.${bridge}.route_localnet`);
    // by somebody who has mounted a /proc of his own, where no watch of files sees him
    const path = `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;
    await putBack(
      `net.ipv4.conf.${bridge}.route_localnet`,
      `unshare -m sh -c 'mount -t proc proc /proc && echo 0 >${path}'`,
    );
    await served(d.host, '127.0.0.1');
    await served(d.outside, HOST.ipv4);
    await d.host('sysctl -qw net.ipv4.conf.default.forwarding=0');
    const later = await d.docker('network', 'create', 'later');
    await until(
      'a bridge that began without',
      async () => (await value(`net.ipv4.conf.br-${later.slice(0, 12)}.forwarding`)) === '1',
    );
    await d.host('sysctl -qw net.ipv4.conf.default.forwarding=1');
  });

  test('N F3 A K13: who writes it again and again is let have it for a while, and the daemon says so', async () => {
    const going = `${d.world.base}/going`;
    await d.host(
      `touch ${going}; (while [ -e ${going} ]; do sysctl -qw net.ipv4.ip_forward=0; sleep 0.1; done) >/dev/null 2>&1 &`,
    );
    const before = told('net.ipv4.ip_forward');
    await until('it is told', () => /"net.ipv4.ip_forward".*again and again/.test(d.log()));
    const info = async () => (await d.docker.try(['info'])).stderr;
    await until('info warns', async () => (await info()).includes('WARNING: IPv4 forwarding is disabled'));
    await until('create warns', async () =>
      (await d.docker.try(['create', 'alpine'])).stderr.includes(
        'IPv4 forwarding is disabled. Networking will not work.',
      ),
    );
    await d.host(`rm ${going}`);
    await until('it is put back', async () => (await value('net.ipv4.ip_forward')) === '1', 30_000);
    expect(told('net.ipv4.ip_forward') - before).toBeLessThan(20);
    expect(await info()).not.toContain('IPv4 forwarding');
  });

  test('N F2: a host that learns its way out from a router keeps it when containers get IPv6', async () => {
    const forwarding = (way: 0 | 1) => d.host(`sysctl -qw net.ipv6.conf.all.forwarding=${way}`);
    const send = `printf '${ADVERTISEMENT}' | socat -u STDIN 'IP6-SENDTO:[ff02::1%eth0]:58,setsockopt-int=41:18:255'`;
    const learnt = async () => (await d.host('ip -6 route show default proto ra')) !== '';
    const learns = () =>
      until('the router is believed', async () => {
        await d.outside(send);
        return learnt();
      });
    await d.host('ip link add quiet type bridge; sysctl -qw net.ipv6.conf.quiet.accept_ra=0');
    await forwarding(0);
    await d.host('sysctl -qw net.ipv6.conf.eth0.accept_ra=1');
    await learns();
    await forwarding(1);
    await until('by itself the kernel forgets it', async () => !(await learnt()));
    await forwarding(0);
    await learns();

    await d.docker('network', 'create', '--ipv6', 'six');
    expect(await value('net.ipv6.conf.all.forwarding')).toBe('1');
    expect(await learnt()).toBe(true);
    expect(await value('net.ipv6.conf.eth0.accept_ra')).toBe('2');
    expect(await value('net.ipv6.conf.quiet.accept_ra')).toBe('0');
    await d.host('ip -6 route del default proto ra');
    await learns();
    await putBack('net.ipv6.conf.all.forwarding');
    expect(await learnt()).toBe(true);
    await d.host(
      'ip link del quiet; sysctl -qw net.ipv6.conf.eth0.accept_ra=0; ip -6 route flush proto ra || true',
    );
  });
});

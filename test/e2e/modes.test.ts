/** Containers without a network of their own: host, none, and another container's. */
import { describe, expect, test } from 'vitest';
import { linkNames } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx', 'nettools'] });
const { inspect, addressOf, sleeper, inside } = phrasesFor(d);

describe('D3 host', () => {
  test('D3 a server in the container is the host’s own, on port 80, with no new interface', async () => {
    await sleeper('before'); // so that docker0 and a veth are there to be counted
    const before = await linkNames(d);
    await d.docker('run', '-d', '--rm', '--network', 'host', '--name', 'my-nginx', 'nginx');
    expect(await linkNames(d)).toEqual(before);
    const page = await until('nginx answers', async () => {
      const { code, stdout } = await d.host.try('curl -s http://localhost:80/');
      return code === 0 && stdout;
    });
    expect(page).toContain('Welcome to nginx!');
    expect(await d.outside(`curl -s http://${HOST.ipv4}/`)).toContain('Welcome to nginx!');
    expect(await d.host('ss -Hltnp sport = :80')).toContain('nginx');
    await d.docker('stop', 'my-nginx');
    expect(await d.host('ss -Hltn sport = :80')).toBe('');
  });
  test('D3 the container sees the host’s interfaces and has no address of its own', async () => {
    const inHost = await linkNames(d);
    const listed = await d.docker(
      'run',
      '--rm',
      '--network',
      'host',
      'nettools',
      'sh',
      '-c',
      'ls /sys/class/net',
    );
    expect(listed.split('\n').sort()).toEqual(inHost);
    await sleeper('c1', '--network', 'host');
    expect(await addressOf('c1', 'host')).toBe('');
  });
  test('D3 -p is ignored with a warning', async () => {
    const { code, stderr } = await d.docker.try([
      'run',
      '--rm',
      '--network',
      'host',
      '-p',
      '8080:80',
      'alpine',
      'true',
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('Published ports are discarded when using host network mode');
  });
  test('D3 a running container can be neither connected to host nor disconnected from it', async () => {
    await sleeper('c1', '--network', 'host');
    const left = await d.docker.try(['network', 'disconnect', 'host', 'c1']);
    expect(left.stderr).toContain(
      'cannot disconnect container from host network - container was created in host network mode',
    );
    await sleeper('c2');
    expect((await d.docker.try(['network', 'connect', 'host', 'c2'])).code).not.toBe(0);
  });
});

describe('D4 none', () => {
  test('D4 only the loopback, and nothing to send through', async () => {
    await d.docker(
      'run',
      '--rm',
      '-dit',
      '--network',
      'none',
      '--name',
      'no-net-alpine',
      'alpine:latest',
      'ash',
    );
    expect(await inside('no-net-alpine', 'ls /sys/class/net')).toBe('lo');
    expect(await inside('no-net-alpine', 'ip route')).toBe('');
    expect(await inside('no-net-alpine', 'ping -c 1 -W 1 127.0.0.1 >/dev/null && echo yes')).toBe('yes');
    expect(
      (await d.docker.try(['exec', 'no-net-alpine', 'ping', '-c', '1', '-W', '1', HOST.ipv4])).code,
    ).not.toBe(0);
    await d.docker('stop', '-t', '0', 'no-net-alpine');
  });
});

describe('D5 container', () => {
  test('D5 the same interfaces, addresses and routes; the two talk over lo', async () => {
    await d.docker('run', '-d', '--name', 'nginx1', 'nginx');
    await d.docker('run', '-d', '--name', 'c4', '--network', 'container:nginx1', 'nettools', 'sleep', '600');
    const shown = 'ip -o addr; ip route; hostname';
    expect(await inside('c4', 'ip -4 -o addr show eth0')).toContain(`${await addressOf('nginx1')}/16`);
    expect(await inside('c4', 'readlink /proc/self/ns/net')).toBe(
      await inside('nginx1', 'readlink /proc/self/ns/net'),
    );
    await until(
      'nginx answers',
      async () => (await d.docker.try(['exec', 'c4', 'curl', '-s', 'http://127.0.0.1/'])).code === 0,
    );
    expect(await inside('c4', 'curl -s http://127.0.0.1/')).toContain('Welcome to nginx!');
    expect(
      await d.docker('run', '--rm', '--network', 'container:nginx1', 'nettools', 'sh', '-c', shown),
    ).toBe(await inside('c4', shown));
    expect(await inspect('{{.HostConfig.NetworkMode}}', 'c4')).toBe(
      `container:${await inspect('{{.Id}}', 'nginx1')}`,
    );
  });
  test.each([
    [['-p', '8080:80'], 'port publishing and the container type network mode'],
    [['--hostname', 'x'], 'hostname and the network mode'],
    [['--dns', '9.9.9.9'], 'dns and the network mode'],
    [['--add-host', 'x:1.2.3.4'], 'custom host-to-IP mapping and the network mode'],
    [['--link', 'nginx1'], "container type network can't be used with links"],
  ])('D5 conflicts with %j', async (flags, message) => {
    await d.docker('run', '-d', '--name', 'nginx1', 'nginx');
    const refused = await d.docker.try([
      'run',
      '--rm',
      '--network',
      'container:nginx1',
      ...flags,
      'alpine',
      'true',
    ]);
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain(message);
  });
  test('D5 the other container must be there and running', async () => {
    const none = await d.docker.try(['run', '--rm', '--network', 'container:nobody', 'alpine', 'true']);
    expect(none.stderr).toContain('No such container: nobody');
    await d.docker('create', '--name', 'idle', 'alpine', 'true');
    const idle = await d.docker.try(['run', '--rm', '--network', 'container:idle', 'alpine', 'true']);
    expect(idle.code).toBe(125);
    expect(idle.stderr).toMatch(/non[- ]running container|is not running/);
  });
});

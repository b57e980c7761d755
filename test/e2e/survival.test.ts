/** What outlives the daemon, and what the daemon mends: stop, kill -9, flushed rules, deleted links. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, sleeper, ping, inside, server } = phrasesFor(d);
const answers = async (port: number) =>
  (await d.outside.try(`socat -u -T1 TCP:${HOST.ipv4}:${port},connect-timeout=1 - 2>/dev/null`)).stdout !==
  '';
const seen = (...names: string[]) =>
  inspect(
    '{{.Id}} {{.State.Pid}} {{.State.Status}} {{json .NetworkSettings.Networks}} {{json .NetworkSettings.Ports}}',
    ...names,
  );

describe('O3 the daemon goes and comes', () => {
  test.each([
    ['kill -9', () => d.kill9()],
    ['a stop', () => d.terminate().then(() => undefined)],
  ])(
    'O3 %s: containers, connections, networks, ports, names and logs are the same afterwards',
    async (_, end) => {
      await d.docker('network', 'create', 'mynetwork');
      await server('web', '--network', 'mynetwork', '-p', '8080:80');
      await d.docker(
        'run',
        '-d',
        '--name',
        'talker',
        '--network',
        'mynetwork',
        '--stop-timeout',
        '0',
        'alpine',
        'sh',
        '-c',
        'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done',
      );
      await until('the port answers', () => answers(8080));
      const before = await seen('web', 'talker');
      const network = await inspect('{{.Id}} {{json .IPAM}} {{json .Containers}}', 'mynetwork');
      // one connection that is open all the time
      const slow = ['socat', 'TCP-LISTEN:80,fork,reuseaddr', 'SYSTEM:sleep 3; echo still here'];
      await d.docker(
        'run',
        '-d',
        '--name',
        'echo',
        '-p',
        '8081:80',
        '--stop-timeout',
        '0',
        'nettools',
        ...slow,
      );
      await until('it listens', async () => (await inside('echo', 'ss -Hltn sport = :80')) !== '');
      const held = d.outside(`socat -u -T8 TCP:${HOST.ipv4}:8081 -`);
      await new Promise((resolve) => setTimeout(resolve, 300));

      await end();
      expect(await answers(8080)).toBe(true);
      expect(await held).toBe('still here');
      await d.start();

      expect(await seen('web', 'talker')).toBe(before);
      expect(await inspect('{{.Id}} {{json .IPAM}} {{json .Containers}}', 'mynetwork')).toContain(
        network.split(' ')[0],
      );
      expect(await answers(8080)).toBe(true);
      expect((await ping('talker', 'web')).code).toBe(0);
      const lines = (await d.docker('logs', 'talker'))
        .split('\n')
        .map((line) => Number(line.replace('line ', '')));
      expect(lines).toEqual(lines.map((_, i) => i + 1));
      await until(
        'the log goes on',
        async () => (await d.docker('logs', 'talker')).split('\n').length > lines.length,
      );
    },
    60_000,
  );
  test('O3 an exit while nobody watched is known afterwards, with its code and last words', async () => {
    await d.docker('run', '-d', '--name', 'brief', 'alpine', 'sh', '-c', 'sleep 1; echo last words; exit 7');
    await d.kill9();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await d.start();
    await until(
      'it is known',
      async () => (await inspect('{{.State.Status}} {{.State.ExitCode}}', 'brief')) === 'exited 7',
    );
    expect(await d.docker('logs', 'brief')).toBe('last words');
  });
  test('O3 what is removed after a restart is removed whole', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await server('web', '--network', 'mynetwork', '-p', '8080:80');
    await d.kill9();
    await d.start();
    await d.docker('rm', '-f', 'web');
    await d.docker('network', 'rm', 'mynetwork');
    expect(await answers(8080)).toBe(false);
    await until('its links are gone', async () => !(await d.host('ip -o link')).includes('veth'));
    await server('again', '-p', '8080:80');
    await until('the port answers', () => answers(8080));
  });
  test('O3 --restart policies after a stop of the daemon and of the container', async () => {
    await sleeper('always', '--restart', 'always');
    await sleeper('stopped', '--restart', 'unless-stopped');
    await d.docker('stop', 'stopped');
    await d.restart();
    expect(await inspect('{{.State.Status}}', 'always')).toBe('running');
    expect(await inspect('{{.State.Status}}', 'stopped')).toBe('exited');
  });
});

describe('O4 somebody else changes things', () => {
  const mended = (what: string, test: () => Promise<boolean>) => until(`${what} is mended`, test);
  test('O4 nft flush ruleset: rules are back, foreign tables as they were', async () => {
    await server('web', '-p', '8080:80');
    await until('the port answers', () => answers(8080));
    await d.host(
      'nft add table inet foreign; nft add chain inet foreign mine; nft add rule inet foreign mine counter',
    );
    await d.host.try('nft flush ruleset');
    await d.host(
      'nft add table inet foreign; nft add chain inet foreign mine; nft add rule inet foreign mine counter',
    );
    const foreign = await d.host('nft list table inet foreign');
    await mended('the published port', () => answers(8080));
    await mended(
      'the way out',
      async () =>
        (await d.docker.try(['exec', 'web', 'ping', '-c', '1', '-W', '1', '198.51.100.1'])).code === 0,
    );
    expect(await d.host('nft list table inet foreign')).toBe(foreign);
    await d.host('nft delete table inet foreign');
  });
  test('O4 the bridge is deleted: it is back with its address and its ports', async () => {
    const id = await d.docker('network', 'create', 'mynetwork');
    const bridge = `br-${id.slice(0, 12)}`;
    await server('web', '--network', 'mynetwork', '-p', '8080:80');
    await sleeper('c1', '--network', 'mynetwork');
    await until('the port answers', () => answers(8080));
    const mac = await d.host(`cat /sys/class/net/${bridge}/address`);
    await d.host(`ip link delete ${bridge}`);
    await mended('the published port', () => answers(8080));
    await mended('the neighbour', async () => (await ping('c1', 'web')).code === 0);
    expect(await d.host(`cat /sys/class/net/${bridge}/address`)).toBe(mac);
  });
  test('O4 a veth is deleted: it is back with the same address and MAC', async () => {
    await server('web', '-p', '8080:80');
    await until('the port answers', () => answers(8080));
    const shown = () => inside('web', 'cat /sys/class/net/eth0/address; ip -4 -o addr show eth0; ip route');
    const [mac, address] = (await shown()).split('\n');
    const veth = await d.host('ls /sys/class/net/docker0/brif');
    await d.host(`ip link delete ${veth}`);
    await mended('the published port', () => answers(8080));
    const after = (await shown()).split('\n');
    expect(after[0]).toBe(mac);
    expect(after[1]?.replace(/^\d+/, '')).toBe(address?.replace(/^\d+/, ''));
    expect(after.join('\n')).toContain('default via 172.17.0.1');
  });
});

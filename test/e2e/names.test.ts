/** Names: aliases, links, the embedded DNS, and the files that programs read before they ask it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, addressOf, sleeper, ping, inside } = phrasesFor(d);

const prober = (name: string, ...flags: string[]) =>
  d.docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'nettools', 'sleep', '600');
/** Answers of the resolver that the container is told to use, sorted. */
const dig = async (container: string, ...query: string[]) =>
  (await inside(container, `dig +short +timeout=2 +retry=0 ${query.join(' ')}`))
    .split('\n')
    .filter((line) => line !== '')
    .sort();
const rcode = (container: string, ...query: string[]) =>
  inside(container, `dig +timeout=2 +retry=0 ${query.join(' ')} | sed -n 's/.*status: \\([A-Z]*\\).*/\\1/p'`);

describe('E4 aliases', () => {
  test('E4 --network-alias and connect --alias; several containers share one', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await sleeper('db1', '--network', 'mynetwork', '--network-alias', 'db');
    await sleeper('db2');
    await d.docker('network', 'connect', '--alias', 'db', '--alias', 'second', 'mynetwork', 'db2');
    await prober('c1', '--network', 'mynetwork');
    const both = [await addressOf('db1', 'mynetwork'), await addressOf('db2', 'mynetwork')].sort();
    expect(await dig('c1', 'db')).toEqual(both);
    expect(await dig('c1', 'second')).toEqual([await addressOf('db2', 'mynetwork')]);
    await d.docker('rm', '-f', 'db1');
    expect(await dig('c1', 'db')).toEqual([await addressOf('db2', 'mynetwork')]);
  });
  test('E4 an alias is of one network only', async () => {
    for (const name of ['one', 'two']) await d.docker('network', 'create', name);
    await sleeper('db', '--network', 'one', '--network-alias', 'store');
    await d.docker('network', 'connect', 'two', 'db');
    await prober('c1', '--network', 'two');
    expect(await dig('c1', 'store')).toEqual([]);
    expect(await dig('c1', 'db')).toEqual([await addressOf('db', 'two')]);
  });
});

describe('E5 links', () => {
  test('E5 on the default bridge: environment, hosts entry, HostConfig', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'db',
      '-e',
      'PASSWORD=secret',
      '--expose',
      '5432-5434',
      '--stop-timeout',
      '0',
      'alpine',
      'sleep',
      '600',
    );
    await sleeper('web', '--link', 'db:database');
    const address = await addressOf('db');
    expect(await inside('web', 'cat /etc/hosts')).toMatch(
      new RegExp(`^${address}\\tdatabase [0-9a-f]{12} db$`, 'm'),
    );
    expect((await ping('web', 'database')).code).toBe(0);
    const environment = await d.docker('exec', 'web', 'env');
    expect(environment).toContain(`DATABASE_PORT_5432_TCP_ADDR=${address}`);
    expect(environment).toContain(`DATABASE_PORT=tcp://${address}:5432`);
    expect(environment).toContain(`DATABASE_PORT_5432_TCP_START=tcp://${address}:5432`);
    expect(environment).toContain(`DATABASE_PORT_5432_TCP_END=tcp://${address}:5434`);
    expect(environment).toContain('DATABASE_ENV_PASSWORD=secret');
    expect(environment).toContain('DATABASE_NAME=/web/database');
    expect(await inspect('{{json .HostConfig.Links}}', 'web')).toBe('["/db:/web/database"]');
  });
  test('E5 the hosts entry follows the target over its restart', async () => {
    await sleeper('db');
    await sleeper('web', '--link', 'db');
    await d.docker('stop', 'db');
    await sleeper('other'); // takes the address that was free
    await d.docker('start', 'db');
    const line = `${await addressOf('db')}\tdb`;
    await until('the entry is current', async () => (await inside('web', 'cat /etc/hosts')).includes(line));
    expect((await ping('web', 'db')).code).toBe(0);
  });
  test('E5 with icc=false a link opens its port', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await sleeper('db', '--network', 'mynetwork');
    await prober('web', '--network', 'mynetwork', '--link', 'db:store');
    expect(await dig('web', 'store')).toEqual([await addressOf('db', 'mynetwork')]);
  });
});

describe('E6 the embedded DNS', () => {
  test('E6 names, name.network, short ids, PTR, over UDP and TCP', async () => {
    await d.docker('network', 'create', 'mynetwork');
    const id = await sleeper('db', '--network', 'mynetwork');
    await prober('c1', '--network', 'mynetwork');
    const address = await addressOf('db', 'mynetwork');
    for (const name of ['db', 'DB', 'db.mynetwork', id.slice(0, 12)])
      expect(await dig('c1', name)).toEqual([address]);
    expect(await dig('c1', '+tcp', 'db')).toEqual([address]);
    expect(await dig('c1', '-x', address)).toEqual(['db.mynetwork.']);
    expect(await dig('c1', 'db', 'AAAA')).toEqual([]);
    expect(await rcode('c1', 'db', 'AAAA')).toBe('NOERROR');
    expect(await inside('c1', 'cat /etc/resolv.conf')).toMatch(
      /nameserver 127\.0\.0\.11[\s\S]*options .*ndots:0/,
    );
  });
  test('E6 IPv6 addresses', async () => {
    await d.docker('network', 'create', '--ipv6', '--subnet', 'fd00:85::/64', 'six');
    await sleeper('db', '--network', 'six');
    await prober('c1', '--network', 'six');
    expect(await dig('c1', 'db', 'AAAA')).toEqual(['fd00:85::2']);
    expect(await dig('c1', '-x', 'fd00:85::2')).toEqual(['db.six.']);
  });
  test('E6 other names are forwarded to the host’s resolver', async () => {
    d.upstream.records['example.com'] = '203.0.113.7';
    await d.docker('network', 'create', 'mynetwork');
    await prober('c1', '--network', 'mynetwork');
    expect(await dig('c1', 'example.com')).toEqual(['203.0.113.7']);
    expect(await rcode('c1', 'nothing.example')).toBe('NXDOMAIN');
    expect(d.upstream.asked).toContain('nothing.example');
  });
  test('E6 --dns, --dns-search, --dns-opt', async () => {
    await d.docker('network', 'create', 'mynetwork');
    const flags = [
      '--dns',
      OUTSIDE.ipv4,
      '--dns',
      '192.0.2.99',
      '--dns-search',
      'corp.example',
      '--dns-opt',
      'timeout:1',
    ];
    expect(await d.docker('run', '--rm', ...flags, 'alpine', 'cat', '/etc/resolv.conf')).toMatch(
      /nameserver 192\.0\.2\.1\nnameserver 192\.0\.2\.99\n[\s\S]*corp\.example[\s\S]*timeout:1|corp\.example[\s\S]*nameserver 192\.0\.2\.1\nnameserver 192\.0\.2\.99\n[\s\S]*timeout:1/,
    );
    d.upstream.records['wiki.corp.example'] = '203.0.113.8';
    await prober('c1', '--network', 'mynetwork', ...flags);
    expect(await inside('c1', 'cat /etc/resolv.conf')).toContain('nameserver 127.0.0.11');
    expect(await inside('c1', 'getent hosts wiki || ping -c1 -W1 wiki | head -1')).toContain('203.0.113.8');
  });
  test('E6 internal networks leak no query', async () => {
    await d.docker('network', 'create', '--internal', 'internal');
    await sleeper('db', '--network', 'internal');
    await prober('c1', '--network', 'internal');
    expect(await dig('c1', 'db')).toEqual([await addressOf('db', 'internal')]);
    expect(await rcode('c1', 'leak.example')).not.toBe('NOERROR');
    expect(d.upstream.asked).not.toContain('leak.example');
  });
  test('E6 the container keeps its own port 53', async () => {
    await d.docker('network', 'create', 'mynetwork');
    await prober('c1', '--network', 'mynetwork');
    await d.docker('exec', '-d', 'c1', 'socat', 'UDP-LISTEN:53,fork', 'SYSTEM:echo mine');
    await until('the container’s own server answers', async () =>
      (await inside('c1', 'echo x | socat -T1 - UDP:127.0.0.1:53')).includes('mine'),
    );
    expect(await dig('c1', 'c1')).toEqual([await addressOf('c1', 'mynetwork')]);
  });
});

describe('E7 hosts, resolv.conf, hostname', () => {
  test('E7 the container’s own entry, --add-host, host-gateway', async () => {
    const id = await d.docker(
      'create',
      '--name',
      'c1',
      '--add-host',
      'extra:203.0.113.1',
      '--add-host',
      'gate:host-gateway',
      'alpine',
      'sleep',
      '600',
    );
    await d.docker('start', 'c1');
    const hosts = await inside('c1', 'cat /etc/hosts');
    expect(hosts).toContain('127.0.0.1\tlocalhost');
    expect(hosts).toContain(`${await addressOf('c1')}\t${id.slice(0, 12)}`);
    expect(hosts).toContain('203.0.113.1\textra');
    expect(hosts).toContain('172.17.0.1\tgate');
    expect(await inside('c1', 'cat /etc/hostname')).toBe(id.slice(0, 12));
  });
  test('E7 the entry of a network comes and goes with it', async () => {
    await d.docker('network', 'create', 'mynetwork');
    const id = await sleeper('c1');
    await d.docker('network', 'connect', 'mynetwork', 'c1');
    const line = `${await addressOf('c1', 'mynetwork')}\t${id.slice(0, 12)}`;
    expect(await inside('c1', 'cat /etc/hosts')).toContain(line);
    await d.docker('network', 'disconnect', 'mynetwork', 'c1');
    expect(await inside('c1', 'cat /etc/hosts')).not.toContain(line);
  });
  test('E7 files that the user mounts or edits stay the user’s', async () => {
    const mine = join(d.world.base, 'my-hosts');
    writeFileSync(mine, '192.0.2.50 mine\n');
    await d.docker('network', 'create', 'mynetwork');
    await sleeper('c1', '-v', `${mine}:/etc/hosts`);
    await inside('c1', 'echo "nameserver 192.0.2.51" > /etc/resolv.conf');
    await d.docker('network', 'connect', 'mynetwork', 'c1');
    expect(await inside('c1', 'cat /etc/hosts')).toBe('192.0.2.50 mine');
    expect(await inside('c1', 'cat /etc/resolv.conf')).toBe('nameserver 192.0.2.51');
  });
});

/** The record against its disk: what is on it damaged while containers run, a disk without room, namespaces bound nowhere. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

/** The data root on a disk of its own, which can be filled. */
const DISK = '/mnt';
const d = daemonForThisFile({
  images: ['alpine', 'nginx'],
  before: async (world) => {
    await world.host(
      `mount -t tmpfs -o size=300m tmpfs ${DISK}; mkdir ${DISK}/data; ln -s ${DISK}/data ${world.base}/data`,
    );
  },
});
const { inspect, sleeper, ping, addressOf } = phrasesFor(d);
const web = () =>
  d.docker('run', '-d', '--name', 'web', '--stop-timeout', '0', '--network', 'net', '-p', '8080:80', 'nginx');
const answers = async () =>
  (await d.outside.try(`curl -s --max-time 2 http://${HOST.ipv4}:8080/`)).stdout.includes(
    'Welcome to nginx!',
  );
const STATE =
  '{{.Id}} {{.State.Pid}} {{.State.Status}} {{json .NetworkSettings.Networks}} {{json .NetworkSettings.Ports}}';
const state = () => inspect(STATE, 'web');
/** What lies beside a running container; nothing yet in its first moments. */
const beside = (id: string): string => {
  const path = join(d.execRoot, 'containers', id, 'kept');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};
const status = () => d.host(`${join(ROOT, 'bin/viaduct')} -H unix://${d.socket} status`);
const loseAll = () => d.host(`rm -r ${DISK}/data/record ${DISK}/data/record-copy ${inMemory()}`);
const inMemory = () => join(d.execRoot, 'record');
/** Their snapshots, without which no line of theirs is known. */
const damage = (...places: readonly string[]) =>
  d.host(
    `cd ${DISK}/data; for f in ${places.map((place) => `${place}/*.snapshot`).join(' ')}; do printf damaged | dd of=$f bs=1 seek=30 conv=notrunc 2>/dev/null; done`,
  );

describe('A K5: the record and the copy beside it damaged', () => {
  test('A K5: what runs is known from the copy in memory, whole, and never noticed', async () => {
    await d.docker('network', 'create', 'net');
    await web();
    await until('the port answers', answers);
    const before = await state();
    await d.kill9();
    await damage('record', 'record-copy');
    const said = d.log().length;
    await d.start();
    expect(d.log().slice(said)).toContain('was set aside');
    expect(d.log().slice(said)).toContain(`${inMemory()}"`);
    expect(await state()).toBe(before);
    expect(await answers()).toBe(true);
    expect(await d.docker('network', 'ls', '--format', '{{.Name}}')).toContain('net');
  });

  test('A K5: with no copy of it at all, what runs is known from what lies beside it: names, networks, addresses, ports', async () => {
    await d.docker('network', 'create', '--label', 'mine=yes', 'net');
    await d.docker('network', 'create', 'nobody-on-it');
    await web();
    await sleeper('friend', '--network', 'net', '--restart', 'always', '--network-alias', 'pal');
    await sleeper('plain');
    await d.docker('network', 'connect', 'net', 'plain');
    await d.docker('rename', 'plain', 'renamed');
    await d.docker('create', '--name', 'stopped', 'alpine');
    await until('the port answers', answers);
    const names = ['web', 'friend', 'renamed'];
    const all = () =>
      inspect(
        '{{.Id}} {{.Name}} {{.State.Pid}} {{.State.Status}} {{json .Config}} {{json .HostConfig}} {{json .NetworkSettings}}',
        ...names,
      );
    const before = await all();
    const net = await inspect('{{.Id}} {{json .IPAM}} {{json .Containers}} {{json .Labels}}', 'net');
    await until('it lies beside them', async () => {
      const [id = ''] = (await d.docker('ps', '-q', '--no-trunc', '--filter', 'name=renamed')).split('\n');
      return beside(id).includes('"renamed"');
    });
    await d.kill9();
    await loseAll();
    const said = d.log().length;
    await d.start();
    expect(d.log().slice(said)).toContain('its record was lost');
    expect(await status()).toContain('WARNING: 3 containers ran on whose record was lost');
    expect(await all()).toBe(before);
    expect(await inspect('{{.Id}} {{json .IPAM}} {{json .Containers}} {{json .Labels}}', 'net')).toBe(net);
    expect(await d.docker('network', 'ls', '--format', '{{.Name}}')).not.toContain('nobody-on-it');
    expect(await d.docker('ps', '-a', '--format', '{{.Names}}')).not.toContain('stopped');
    expect(await answers()).toBe(true);
    expect((await ping('renamed', 'pal')).code).toBe(0);
    // A new one gets another's address nowhere, and the port is taken.
    await sleeper('new');
    expect(await addressOf('new')).not.toBe(await addressOf('renamed'));
    const second = await d.docker.try(['run', '--rm', '-p', '8080:80', 'alpine', 'true']);
    expect(second.stderr).toContain('port is already allocated');
    // It is an ordinary one from then on, whoever starts or ends.
    await d.restart();
    expect(await inspect('{{.State.Status}}', 'web')).toBe('running');
    await d.docker('kill', 'friend');
    await d.docker('stop', '-t', '0', 'web');
    await d.docker('rm', '-f', 'new', ...names);
    await d.docker('network', 'rm', 'net');
    await until('its links are gone', async () => !(await d.host('ip -o link')).includes('veth'));
  });

  test('A K5: from a copy that is behind: what it says was never started runs, and is known to', async () => {
    await d.docker('create', '--name', 'late', '--stop-timeout', '0', '-p', '8080:80', 'nginx');
    const old = join(d.world.base, 'old-copy');
    await d.host(`cp -r ${inMemory()} ${old}`);
    await d.docker('start', 'late');
    await until('the port answers', answers);
    const before = await inspect(STATE, 'late');
    const [id = ''] = before.split(' ');
    await until('it lies beside it', () => beside(id).includes('"status":"running"'));
    await d.kill9();
    const copies = [`${DISK}/data/record-copy`, inMemory()];
    await d.host(
      `rm -r ${copies.join(' ')}; for c in ${copies.join(' ')}; do cp -r ${old} $c; done; rm -r ${old}`,
    );
    await damage('record');
    await d.start();
    expect(await status()).toContain('taken from a copy of');
    expect(await inspect(STATE, 'late')).toBe(before);
    expect(await answers()).toBe(true);
    await d.docker('rm', '-f', 'late');
    expect(await answers()).toBe(false);
  });

  test('A K5: where not even that is left, it runs on, reachable, until it ends; then what was its is removed', async () => {
    await d.docker('network', 'create', 'net');
    await web();
    await until('the port answers', answers);
    await d.docker('network', 'connect', 'bridge', 'web');
    await sleeper('next');
    const expected = await addressOf('next');
    await d.docker('rm', '-f', 'next');
    const pid = Number(await inspect('{{.State.Pid}}', 'web'));
    await d.kill9();
    await loseAll();
    await d.host(`rm -f ${d.execRoot}/containers/*/kept`);
    const said = d.log().length;
    await d.start();
    const kill = `end it with \`kill ${pid}\``;
    expect(d.log().slice(said)).toContain(kill);
    expect(await status()).toContain(kill);
    expect(await answers()).toBe(true);
    // What it has is nobody else's, though nobody knows what it is called.
    await sleeper('new');
    expect(await addressOf('new')).toBe(expected);
    const port = await d.docker.try(['run', '--rm', '-p', '8080:80', 'alpine', 'true']);
    expect(port.stderr).toContain('port is already allocated');
    expect(await answers()).toBe(true);
    await d.docker('rm', '-f', 'new');
    await d.restart(); // nor does a stop take it away
    expect(await answers()).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until('its links are gone', async () => !(await d.host('ip -o link')).includes('veth'));
    expect(await answers()).toBe(false);
  });
});

test('A K12: killed on a full disk it comes back, reads work, writes say why not, and go on when there is room', async () => {
  await d.docker('network', 'create', 'net');
  await web();
  await d.host.try(`dd if=/dev/zero of=${DISK}/fill bs=1M; dd if=/dev/zero of=${DISK}/fill2 bs=4k`);
  await d.docker('network', 'create', 'on-the-full-disk');
  await d.kill9();
  await d.start();
  const networks = () => d.docker('network', 'ls', '--format', '{{.Name}}');
  expect(await networks()).toContain('on-the-full-disk');
  expect(await inspect('{{.State.Status}}', 'web')).toBe('running');
  await until('the port answers', answers);
  const refused = await d.docker.try(['run', '-d', '--name', 'more', 'alpine', 'sleep', '60']);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/no space left/i);
  await d.host(`rm ${DISK}/fill ${DISK}/fill2`);
  await d.docker.try(['rm', '-f', 'more']);
  await d.docker('run', '--rm', 'alpine', 'true');
  await d.docker('network', 'create', 'afterwards');
  await d.kill9();
  await d.start();
  expect(await networks()).toContain('afterwards');
  expect(await networks()).toContain('on-the-full-disk');
});

test.each(['unbound', 'unbound and removed'])(
  'N F12: a running container’s namespace, %s, is found where the container stands',
  async (how) => {
    await d.docker('network', 'create', 'net');
    await web();
    await until('the port answers', answers);
    const pid = await inspect('{{.State.Pid}}', 'web');
    await d.kill9();
    await d.host(`for f in ${d.execRoot}/netns/*; do umount $f; ${how === 'unbound' ? ':' : 'rm $f'}; done`);
    const said = d.log().length;
    await d.start();
    expect(d.log().slice(said)).toContain('was bound nowhere any more');
    expect(await d.host(`stat -Lc %i ${d.execRoot}/netns/* /proc/${pid}/ns/net | sort -u | wc -l`)).toBe('1');
    expect(await answers()).toBe(true);
    await d.docker('network', 'create', 'other');
    await d.docker('network', 'connect', 'other', 'web');
    expect(await d.docker('exec', 'web', 'cat', '/proc/net/dev')).toContain('eth1');
    await d.docker('rm', '-f', 'web');
    expect(await d.host(`ls ${d.execRoot}/netns`)).toBe('');
  },
);

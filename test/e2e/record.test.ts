/** The record against its disk: both files damaged while containers run, a disk without room, namespaces bound nowhere. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
const { inspect } = phrasesFor(d);
const web = () =>
  d.docker('run', '-d', '--name', 'web', '--stop-timeout', '0', '--network', 'net', '-p', '8080:80', 'nginx');
const answers = async () =>
  (await d.outside.try(`curl -s --max-time 2 http://${HOST.ipv4}:8080/`)).stdout.includes(
    'Welcome to nginx!',
  );
const state = () =>
  inspect(
    '{{.Id}} {{.State.Pid}} {{.State.Status}} {{json .NetworkSettings.Networks}} {{json .NetworkSettings.Ports}}',
    'web',
  );
const inMemory = () => join(d.execRoot, 'intent.mdb-copy');

describe('A K5: both files of the record damaged', () => {
  test('A K5: what runs is known from the copy in memory, whole, and never noticed', async () => {
    await d.docker('network', 'create', 'net');
    await web();
    await until('the port answers', answers);
    const flushed = Date.now() + 1_000;
    await until(
      'the copy has it',
      () => existsSync(inMemory()) && statSync(inMemory()).mtimeMs > flushed - 1_000,
      15_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const before = await state();
    await d.kill9();
    await d.host(
      `cd ${DISK}/data; for f in intent.mdb intent.mdb-copy; do printf damaged | dd of=$f bs=1 seek=30 conv=notrunc 2>/dev/null; done`,
    );
    const said = d.log().length;
    await d.start();
    expect(d.log().slice(said)).toContain('was set aside');
    expect(d.log().slice(said)).toContain(`${inMemory()}"`);
    expect(await state()).toBe(before);
    expect(await answers()).toBe(true);
    expect(await d.docker('network', 'ls', '--format', '{{.Name}}')).toContain('net');
  });

  test('A K5: with no copy at all it runs on, reachable, until it ends; then what was its is removed', async () => {
    await d.docker('network', 'create', 'net');
    await web();
    await until('the port answers', answers);
    const pid = Number(await inspect('{{.State.Pid}}', 'web'));
    await d.kill9();
    await d.host(`rm ${DISK}/data/intent.* ${inMemory()}`);
    const said = d.log().length;
    await d.start();
    expect(d.log().slice(said)).toContain(`end it with \`kill ${pid}\``);
    expect(await answers()).toBe(true);
    await d.docker('run', '--rm', 'alpine', 'true');
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

/**
 * A unit with PrivateMounts= or MountFlags=slave: each daemon has a mount namespace of its own, in which its mounts are, and
 * which the next one does not see (N F12). `unshare` makes it as systemd does, anew for each life.
 */
import { expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({
  images: ['alpine', 'nginx'],
  through: () => ['unshare', '--mount', '--propagation', 'slave'],
});
const { inspect, ping, sleeper } = phrasesFor(d);
const answers = async () =>
  (await d.outside.try(`curl -s --max-time 2 http://${HOST.ipv4}:8080/`)).stdout.includes(
    'Welcome to nginx!',
  );
const STATE = '{{.Id}} {{.State.Pid}} {{.State.Status}} {{json .NetworkSettings.Networks}}';

test.each([
  ['kill -9', () => d.kill9()],
  ['a stop', () => d.terminate().then(() => undefined)],
])(
  'N F12: %s of a daemon with private mounts: the next one finds sandboxes by their processes, and all goes on',
  async (_, end) => {
    await d.docker('network', 'create', 'net');
    await d.docker('network', 'create', 'other');
    await d.docker('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'scratch');
    const volumes = ['-v', 'scratch:/scratch', '-v', 'plain:/plain'];
    await d.docker(
      ...['run', '-d', '--name', 'web', '--stop-timeout', '0', '--network', 'net', '-p', '8080:80'],
      ...[...volumes, 'nginx'],
    );
    await sleeper('friend', '--network', 'net');
    await sleeper('sharer', '--network', 'container:web');
    await d.docker(
      'exec',
      'web',
      'sh',
      '-c',
      'echo mine >/scratch/file; echo mine >/plain/file; echo mine >/file',
    );
    await until('the port answers', answers);
    const names = ['web', 'friend', 'sharer'];
    const before = await inspect(STATE, ...names);
    const pid = await inspect('{{.State.Pid}}', 'web');
    const mounts = await d.host(`readlink /proc/${d.pid()}/ns/mnt`);
    await end();
    // No mount of it is left where the next one begins.
    expect(d.world.mounts()).toEqual([]);
    expect(await answers()).toBe(true);
    const said = d.log().length;
    await d.start();
    expect(await d.host(`readlink /proc/${d.pid()}/ns/mnt`)).not.toBe(mounts);
    expect(d.log().slice(said)).toContain('was bound nowhere any more');
    expect(await inspect(STATE, ...names)).toBe(before);
    const sandboxes = `nsenter -t ${d.pid()} -m stat -Lc %i ${d.execRoot}/netns/*`;
    expect(await d.host(sandboxes)).toContain(await d.host(`stat -Lc %i /proc/${pid}/ns/net`));
    expect(await answers()).toBe(true);
    expect((await ping('friend', 'web')).code).toBe(0);
    expect(await d.docker('exec', 'web', 'cat', '/scratch/file', '/plain/file', '/file')).toBe(
      'mine\nmine\nmine',
    );
    expect(await d.docker('exec', 'sharer', 'cat', '/proc/net/dev')).toContain('eth0');
    await d.docker('network', 'connect', 'other', 'web');
    expect(await d.docker('exec', 'web', 'cat', '/proc/net/dev')).toContain('eth1');
    // Its root is mounted anew for whoever copies.
    await d.docker('cp', 'web:/file', `${d.world.base}/copied`);
    expect(await d.host(`cat ${d.world.base}/copied`)).toBe('mine');
    await d.docker('restart', '-t', '0', 'web');
    await until('the port answers', answers);
    expect(await d.docker('exec', 'web', 'cat', '/plain/file', '/file')).toBe('mine\nmine');
    await d.docker('rm', '-f', ...names);
    await until('its links are gone', async () => !(await d.host('ip -o link')).includes('veth'));
    expect(await d.host(`ls ${d.execRoot}/netns`)).toBe('');
  },
);

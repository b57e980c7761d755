/** What comes goes without a trace: after storms of restarts, of networks and of failures, and when the daemon stops. */
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { containerProcesses, kernelState, openFiles } from '../support/kernel-state.js';
import { daemonForThisFile } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
// What it opens in its first second (sysctls that it looks at again and again) it holds for life.
beforeAll(() => pause(1_000));
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** After what ends a moment later (a keep-alive connection, a timer) has ended. */
const descriptorsBackTo = (baseline: number) =>
  until(`open files are back to ${baseline} (now ${openFiles(d)})`, () => openFiles(d) <= baseline);

describe('restart storm', () => {
  test('20 containers restarted 5 times: links, elements, processes, mounts, descriptors are back to the baseline', async () => {
    await d.docker('network', 'create', '--ipv6', 'net');
    const start = (i: number) => ['-p', `${9000 + i}:80`, '-v', `data-${i}:/data`];
    const run = (i: number) =>
      d.docker('run', '-d', '--name', `box-${i}`, '--network', 'net', ...start(i), 'alpine', 'sleep', '600');
    // the first ones make what is made once (a cache, a directory)
    await run(0);
    await d.docker('restart', '-t', '0', 'box-0');
    await d.docker('rm', '-f', '-v', 'box-0');
    await d.docker('volume', 'rm', 'data-0');
    const [before, descriptors] = [await kernelState(d), openFiles(d)];

    for (const i of numbers(20)) await run(i);
    const names = numbers(20).map((i) => `box-${i}`);
    const running = await kernelState(d);
    const held = openFiles(d);
    for (const _ of numbers(5)) await d.docker('restart', '-t', '0', ...names);
    expect(lines(await d.docker('ps', '-q'))).toHaveLength(20);
    // sandboxes and endpoints are new ones, as many as before
    const kinds = (state: readonly string[]) => {
      const counted: Record<string, number> = {};
      for (const line of state) {
        const kind = line.split(' ', 1)[0] ?? '';
        if (kind !== 'nft') counted[kind] = (counted[kind] ?? 0) + 1;
      }
      return counted;
    };
    const after = await kernelState(d);
    expect(kinds(after)).toEqual(kinds(running));
    const elements = (state: readonly string[]) =>
      state.filter((line) => /^nft .*(veth|\. 90\d\d)/.test(line)).length;
    expect(elements(after)).toBe(elements(running));
    await descriptorsBackTo(held);

    await d.docker('rm', '-f', '-v', ...names);
    await d.docker('volume', 'rm', ...numbers(20).map((i) => `data-${i}`));
    expect(await kernelState(d)).toEqual(before);
    expect(containerProcesses(d)).toBe(0);
    await descriptorsBackTo(descriptors);
  });

  test('50 networks made and removed, connected and disconnected', async () => {
    await d.docker('run', '-d', '--name', 'box', '--stop-timeout', '0', 'alpine', 'sleep', '600');
    await d.docker('network', 'create', 'first');
    await d.docker('network', 'connect', 'first', 'box');
    await d.docker('network', 'disconnect', 'first', 'box');
    await d.docker('network', 'rm', 'first');
    const [before, descriptors] = [await kernelState(d), openFiles(d)];
    for (const i of numbers(50)) {
      await d.api('POST', '/networks/create', { Name: `net-${i}` });
      await d.api('POST', `/networks/net-${i}/connect`, { Container: 'box' });
      if (i % 2) await d.api('POST', `/networks/net-${i}/disconnect`, { Container: 'box' });
    }
    for (const i of numbers(50)) {
      if (!(i % 2)) await d.api('POST', `/networks/net-${i}/disconnect`, { Container: 'box' });
      expect((await d.api('DELETE', `/networks/net-${i}`)).status).toBe(204);
    }
    expect(await kernelState(d)).toEqual(before);
    await descriptorsBackTo(descriptors);
  });

  test('30 starts that fail leave nothing', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'holder',
      '-p',
      '9000:80',
      '--stop-timeout',
      '0',
      'alpine',
      'sleep',
      '600',
    );
    const fail = async () => {
      await d.docker.try(['run', '--rm', '-p', '9001:80', '-p', '9000:80', 'alpine', 'true']);
      await d.docker.try(['run', '--rm', '-p', '9001:80', 'alpine', '/no/such/program']);
      await d.docker.try(['run', '--rm', '--network', 'nowhere', 'alpine', 'true']);
    };
    await fail();
    const [before, descriptors] = [await kernelState(d), openFiles(d)];
    for (const _ of numbers(10)) await fail();
    expect(await kernelState(d)).toEqual(before);
    expect(lines(await d.docker('ps', '-aq'))).toHaveLength(1);
    await descriptorsBackTo(descriptors);
  });
});

describe('stop', () => {
  test('with everything removed, links, tables, mounts, namespaces and processes are gone; the next start is as before', async () => {
    const built = await d.docker.try(['build', '-t', 'made', '-'], {
      input: 'FROM alpine\nRUN echo made >/made\n',
    });
    expect(built.code, built.stderr).toBe(0);
    expect(await d.docker('run', '--rm', 'made', 'cat', '/made')).toBe('made');
    await d.docker('network', 'create', 'net');
    await d.docker(
      'run',
      '-d',
      '--name',
      'box',
      '--network',
      'net',
      '-p',
      '8080:80',
      'alpine',
      'sleep',
      '600',
    );
    const addresses = await d.docker(
      'network',
      'inspect',
      '--format',
      '{{json .IPAM}} {{.Id}}',
      'bridge',
      'net',
    );
    await d.docker('rm', '-f', 'box');
    const before = await kernelState(d);
    expect(await d.terminate()).toBe(0);
    expect(await d.host('nft list ruleset')).toBe('');
    expect(await d.host("ip -o link | awk -F': ' '{print $2}' | cut -d@ -f1 | sort | xargs")).toBe('eth0 lo');
    expect(d.world.mounts()).toEqual([]);
    expect(d.world.processes()).toEqual([]);
    await d.start();
    expect(await kernelState(d)).toEqual(before);
    expect(await d.docker('network', 'inspect', '--format', '{{json .IPAM}} {{.Id}}', 'bridge', 'net')).toBe(
      addresses,
    );
  });

  test('I12: many networks stay as they are, for the next start, and go with the stop after they were removed', async () => {
    const names = numbers(20).map((i) => `many-${i}`);
    for (const Name of names) await d.api('POST', '/networks/create', { Name });
    const before = await kernelState(d);
    const index = (): Promise<string> =>
      d.host('ls /sys/class/net | grep ^br- | xargs -I{} cat /sys/class/net/{}/ifindex | xargs');
    const bridges = await index();
    expect(await d.terminate()).toBe(0);
    expect(await kernelState(d)).toEqual(before);
    await d.start();
    expect(await kernelState(d)).toEqual(before);
    expect(await index()).toBe(bridges);
    await d.docker('network', 'rm', ...names);
    expect(await d.terminate()).toBe(0);
    expect(await d.host('nft list ruleset')).toBe('');
    expect(await d.host("ip -o link | awk -F': ' '{print $2}' | cut -d@ -f1 | sort | xargs")).toBe('eth0 lo');
    await d.start();
  });
});

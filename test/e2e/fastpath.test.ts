/** FAST (ADR 39): shortcuts past a bridge, which a network has by an option: who has them, who is told that they are suspended, what they outlive. */
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { attempt } from '../../src/errors.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ images: ['nettools'] });
const { addressOf, inside, inspect } = phrasesFor(d);

const OPTION = 'viaduct.fastpath';
/** What the world's namespace has of br_netfilter, if anything. */
const rulesSeeBridges = (value: '0' | '1') =>
  d.host(
    `for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do if [ -e $f ]; then echo ${value} >$f; fi; done`,
  );
/** The answer: this client tells no warning of it. */
const create = async (name: string, value: string, more: object = {}, ipv6 = false) => {
  const Options = { [OPTION]: value, ...more };
  const { status, json } = await d.api('POST', '/networks/create', { Name: name, Options, EnableIPv6: ipv6 });
  return { status, ...(json as { Warning?: string; message?: string }) }; // the API's answer
};
const box = (name: string, ...flags: string[]) =>
  d.docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'nettools', 'sleep', '600');
const portOf = async (container: string): Promise<string> => {
  const index = (await inside(container, 'cat /sys/class/net/eth0/iflink')).trim();
  return d.host(`ip -o link | awk -F': |@' '$1 == ${index} {print $2}'`);
};
const filtersOn = (port: string) => d.host(`tc filter show dev ${port} ingress`);

/** By what most of twenty echo requests came: the host's end of the receiver's link sends what a bridge brings. */
const wayOf = async (from: string, to: string): Promise<'past' | 'bridge' | 'lost'> => {
  const port = await portOf(to);
  const address = await addressOf(to, 'net');
  const sent = async (): Promise<number> =>
    JSON.parse(await d.host(`ip -s -j link show ${port}`))[0].stats64.tx.packets;
  const before = await sent();
  const { code } = await d.docker.try([
    'exec',
    from,
    'ping',
    '-q',
    '-c',
    '20',
    '-i',
    '0.01',
    '-W',
    '1',
    address,
  ]);
  if (code !== 0) return 'lost';
  return (await sent()) - before >= 20 ? 'bridge' : 'past';
};
const pair = async (value: string, ipv6 = false): Promise<void> => {
  await rulesSeeBridges('0');
  expect(await create('net', value, {}, ipv6)).toMatchObject({ status: 201, Warning: '' });
  for (const name of ['ann', 'bob']) await box(name, '--network', 'net');
};
const warnings = async (): Promise<readonly string[]> =>
  JSON.parse(await d.docker('info', '--format', '{{json .Warnings}}')).filter((line: string) =>
    line.includes(OPTION),
  );
const programs = (): readonly string[] =>
  readdirSync(`/proc/${d.pid()}/fd`).flatMap((fd) => {
    const to = attempt(() => readlinkSync(`/proc/${d.pid()}/fd/${fd}`)) ?? '';
    return to.includes('bpf') ? [to] : [];
  });

describe('the option', () => {
  test('FAST without it nothing is loaded and nothing hangs on ports', async () => {
    await d.docker('network', 'create', 'net');
    for (const name of ['ann', 'bob']) await box(name, '--network', 'net');
    expect([programs(), await filtersOn(await portOf('ann')), await wayOf('ann', 'bob')]).toEqual([
      [],
      '',
      'bridge',
    ]);
    expect(await d.host('tc qdisc show')).not.toContain('clsact');
  });
  test('FAST with it neighbours reach each other past the bridge; its end leaves nothing', async () => {
    await pair('true', true);
    expect([await wayOf('ann', 'bob'), await wayOf('bob', 'ann')]).toEqual(['past', 'past']);
    expect(await inspect(`{{index .Options "${OPTION}"}}`, 'net')).toBe('true');
    const mac = await inspect('{{(index .NetworkSettings.Networks "net").MacAddress}}', 'ann');
    expect(await d.host(`bridge fdb show dev ${await portOf('ann')} | grep ${mac}`)).toContain('static');
    await d.clear();
    expect(programs()).toEqual([]);
  });
  test('FAST takes true, false and always, and nothing else', async () => {
    expect(await create('net', 'maybe')).toMatchObject({
      status: 400,
      message: expect.stringContaining(`failed to parse ${OPTION} value: maybe`),
    });
    expect((await create('net', 'false')).status).toBe(201);
    expect(programs()).toEqual([]);
  });
});

describe('suspended, and said so', () => {
  test('FAST with ICC off, on a bridge of the user’s, for routers', async () => {
    const bridge = 'com.docker.network.bridge';
    const silent = await create('silent', 'true', { [`${bridge}.enable_icc`]: 'false' });
    expect(silent.Warning).toContain('may not talk (enable_icc=false)');
    await d.host('ip link add theirs up type bridge');
    const theirs = await create('theirs', 'true', { [`${bridge}.name`]: 'theirs' });
    expect(theirs.Warning).toContain('its bridge is not Viaduct’s');
    expect(programs()).toEqual([]);
    await pair('true');
    await box('router', '--network', 'net', '--sysctl', 'net.ipv4.ip_forward=1');
    expect([await wayOf('ann', 'router'), await wayOf('ann', 'bob')]).toEqual(['bridge', 'past']);
    expect(await warnings()).toEqual([
      expect.stringContaining('network silent: viaduct.fastpath is suspended'),
      expect.stringContaining('network theirs: viaduct.fastpath is suspended'),
      expect.stringContaining('network net: viaduct.fastpath is suspended for router'),
    ]);
    await d.clear();
    await d.host('ip link del theirs');
  });
  test('FAST while br_netfilter shows rules what bridges carry, unless the user says always', async () => {
    await pair('true');
    await rulesSeeBridges('1');
    const seen = await until('it is seen', async () => (await warnings())[0], 3_000);
    expect(seen).toContain('network net: viaduct.fastpath is suspended, as br_netfilter shows');
    expect(await wayOf('ann', 'bob')).toBe('bridge');
    expect(d.log()).toContain('viaduct.fastpath is suspended, as br_netfilter shows');
    expect((await create('late', 'true')).Warning).toContain('br_netfilter');
    await rulesSeeBridges('0');
    await until('it is gone', async () => (await warnings()).length === 0, 3_000);
    expect(await wayOf('ann', 'bob')).toBe('past');
    await d.clear();
    await pair('always');
    await rulesSeeBridges('1');
    expect([await wayOf('ann', 'bob'), await warnings()]).toEqual(['past', []]);
    await rulesSeeBridges('0');
  });
  test('FAST for a port with a limit of bandwidth', async () => {
    await pair('true');
    const port = await portOf('bob');
    await d.host(`tc qdisc add dev ${port} root tbf rate 1mbit burst 10k latency 50ms`);
    const seen = await until('it is seen', async () => (await warnings())[0], 3_000);
    expect(seen).toContain(
      `network net: viaduct.fastpath is suspended for bob, as the queueing discipline tbf is on ${port}`,
    );
    expect(await wayOf('ann', 'bob')).toBe('bridge');
    await d.host(`tc qdisc del dev ${port} root`);
    await until('it is gone', async () => (await warnings()).length === 0, 3_000);
    expect(await wayOf('ann', 'bob')).toBe('past');
  });
});

describe('what it outlives', () => {
  test('FAST the daemon killed: the bridge carries all; the next one finds what was there', async () => {
    await pair('true');
    const [port, address] = [await portOf('bob'), await addressOf('bob', 'net')];
    const enter = `nsenter --net=/proc/${await inspect('{{.State.Pid}}', 'ann')}/ns/net`;
    await d.kill9();
    const sent = async () => JSON.parse(await d.host(`ip -s -j link show ${port}`))[0].stats64.tx.packets;
    await until('the bridge carries it', async () => {
      const before = await sent();
      await d.host(`${enter} ping -q -c 20 -i 0.01 -W 1 ${address}`);
      return (await sent()) - before >= 20;
    });
    await d.start();
    expect([
      await wayOf('ann', 'bob'),
      (await filtersOn(await portOf('ann'))).match(/handle/g)?.length,
    ]).toEqual(['past', 1]);
  });
  test('FAST filters that others take away, and a bridge that they delete, are put back', async () => {
    await pair('true');
    const port = await portOf('bob');
    const again = () => until('past again', async () => (await wayOf('ann', 'bob')) === 'past', 5_000);
    await d.host(`tc qdisc del dev ${port} clsact`);
    await until('filter', async () => (await filtersOn(port)) !== '', 3_000);
    await again();
    const mac = await inspect('{{(index .NetworkSettings.Networks "net").MacAddress}}', 'bob');
    const entry = `bridge fdb show dev ${port} | grep '^${mac} .*static'`;
    const lasting = () =>
      until('its entry is there', async () => (await d.host.try(entry)).code === 0, 3_000);
    await d.host(`ip link del br-${(await inspect('{{.Id}}', 'net')).slice(0, 12)}`);
    await lasting();
    await again();
    await d.host(`bridge fdb del ${mac} dev ${port} master`);
    await lasting();
  });
  test('FAST a network that a container leaves and joins again', async () => {
    await pair('true');
    const gone = await portOf('bob');
    await d.docker('network', 'disconnect', 'net', 'bob');
    expect((await d.host.try(`tc filter show dev ${gone} ingress`)).code).not.toBe(0);
    await d.docker('network', 'connect', 'net', 'bob');
    expect([await wayOf('ann', 'bob'), await wayOf('bob', 'ann')]).toEqual(['past', 'past']);
  });
});

import { describe, expect, it } from 'vitest';
import { showDuration } from '../../src/builder/go.js';
import {
  checkLinks,
  linkEnvironment,
  linksOf,
  parseLink,
  resolveLinks,
  withoutLink,
} from '../../src/engine/attach/links.js';
import { mergeHealth, nextHealth } from '../../src/engine/containers/healthcheck.js';
import { inOrder } from '../../src/engine/containers/order.js';
import {
  mayPass,
  restartDelay,
  restartsAfterExit,
  restartsWithDaemon,
} from '../../src/engine/containers/restart-policy.js';
import { signalNumber } from '../../src/engine/containers/signals.js';
import { Waiters } from '../../src/engine/containers/waiters.js';
import { Locks } from '../../src/engine/locks.js';
import { forbidden, KernelError, notFound, PortError } from '../../src/errors.js';
import type { Container } from '../../src/model/container.js';
import type { ContainerId } from '../../src/model/ids.js';
import { StartError } from '../../src/runtime/failure.js';

const policy = (Name: string, MaximumRetryCount = 0, restartCount = 0, stoppedByUser = false) => ({
  hostConfig: { RestartPolicy: { Name, MaximumRetryCount } } as Container['hostConfig'], // only the policy is read
  restartCount,
  stoppedByUser,
});

describe('restart policies (E1, O3)', () => {
  it.each([
    ['no', 0, 1, false],
    ['always', 0, 0, true],
    ['unless-stopped', 0, 137, true],
    ['on-failure', 0, 1, true],
    ['on-failure', 0, 0, false],
  ])('%s after exit %#', (name, retries, code, expected) => {
    expect(restartsAfterExit(policy(name, retries), code)).toBe(expected);
  });
  it('counts retries of on-failure', () => {
    expect(restartsAfterExit(policy('on-failure', 2, 1), 1)).toBe(true);
    expect(restartsAfterExit(policy('on-failure', 2, 2), 1)).toBe(false);
  });
  it('leaves what the user stopped, but always comes back with the daemon', () => {
    expect(restartsAfterExit(policy('always', 0, 0, true), 0)).toBe(false);
    const ran = { state: { startedAt: '2026-11-28T00:00:00Z' } };
    const never = { state: { startedAt: '0001-01-01T00:00:00Z' } };
    expect(restartsWithDaemon({ ...policy('always', 0, 0, true), ...ran }, 0)).toBe(true);
    expect(restartsWithDaemon({ ...policy('always'), ...never }, 0)).toBe(false);
    expect(restartsWithDaemon({ ...policy('unless-stopped', 0, 0, true), ...ran }, 0)).toBe(false);
    expect(restartsWithDaemon({ ...policy('unless-stopped'), ...ran }, 128)).toBe(true);
    expect(restartsWithDaemon({ ...policy('on-failure', 2, 2), ...ran }, 1)).toBe(false);
    expect(restartsWithDaemon({ ...policy('no'), ...ran }, 1)).toBe(false);
  });
  it.each([
    [new PortError('port is already allocated'), true],
    [new KernelError(19, 'link create', ''), true],
    [forbidden('cannot join network of a non running container'), true],
    [new StartError('no such command', 127), false],
    [notFound('network gone not found'), false],
    [new Error('a mistake of ours'), false],
  ])('F6 a start by policy is tried again later for what may come yet: %s', (error, again) =>
    expect(mayPass(error)).toBe(again),
  );
  it('doubles the delay up to a minute, and starts anew after a long run', () => {
    expect(restartDelay(0, 5)).toBe(100);
    expect(restartDelay(100, 5)).toBe(200);
    expect(restartDelay(60_000, 5)).toBe(60_000);
    expect(restartDelay(60_000, 20_000)).toBe(100);
  });
});

describe('F6 the order in which containers come back', () => {
  const named = (name: string, hostConfig: Partial<Container['hostConfig']>): Container =>
    ({ id: name as ContainerId, name, hostConfig: { NetworkMode: 'bridge', ...hostConfig } }) as Container; // nothing else is read
  const order = (...containers: Container[]) =>
    inOrder(containers, (reference) => containers.find(({ name }) => name === reference)).map(
      ({ container, after }) => `${container.name}<${after.join('+')}`,
    );
  it('follows links and shared namespaces, through any number of steps', () => {
    expect(
      order(
        named('web', { Links: ['db:db', 'gone:x'] }),
        named('log', { PidMode: 'container:web', IpcMode: 'container:db' }),
        named('db', { NetworkMode: 'container:vpn' }),
        named('vpn', {}),
      ),
    ).toEqual(['vpn<', 'db<vpn', 'web<db', 'log<web+db']);
  });
  it('ends where some stand on each other in a circle', () => {
    expect(order(named('a', { Links: ['b'] }), named('b', { Links: ['a'] }))).toEqual(['b<', 'a<b']);
  });
});

describe('signals', () => {
  it.each([
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['RTMIN+3', 37],
  ])('%s is %i', (text, number) => expect(signalNumber(text)).toBe(number));
  it.each(['', 'SIGNOPE', '0', '65', '99999999999999999999999999999999999999'])('refuses %j', (text) => {
    expect(() => signalNumber(text)).toThrow('invalid signal');
  });
});

describe('links (E5)', () => {
  it.each([
    ['db', 'db', 'db'],
    ['db:data', 'db', 'data'],
    ['/db:/web/data', 'db', 'data'],
  ])('%s', (text, source, alias) => expect(parseLink(text)).toEqual({ source, alias }));
  it.each(['', ':', 'a:b:c'])('refuses %j', (text) => expect(() => parseLink(text)).toThrow('bad format'));

  const variables = (...exposed: string[]) => {
    const ports = exposed.map((text) => ({ port: Number.parseInt(text, 10), protocol: text.split('/')[1] }));
    const container = { config: { Env: ['PATH=/bin', 'A=b=c'] } };
    const target = { alias: 'my-db', container, endpoint: { ipv4: '172.17.0.2/16', exposed: ports } };
    return linkEnvironment({ name: 'web' } as never, target as never); // what variables are made of
  };
  it('describes the source; the first port is the lowest of TCP', () => {
    const port = (text: string, of: string) => [
      `MY_DB_PORT_${text}=${of}://172.17.0.2:${Number.parseInt(text, 10)}`,
      `MY_DB_PORT_${text}_ADDR=172.17.0.2`,
      `MY_DB_PORT_${text}_PORT=${Number.parseInt(text, 10)}`,
      `MY_DB_PORT_${text}_PROTO=${of}`,
    ];
    expect(variables('53/udp', '8081/tcp', '8080/tcp')).toEqual([
      'MY_DB_PORT=tcp://172.17.0.2:8080',
      ...port('8080_TCP', 'tcp'),
      ...port('8081_TCP', 'tcp'),
      ...port('53_UDP', 'udp'),
      'MY_DB_NAME=/web/my-db',
      'MY_DB_ENV_A=b=c',
    ]);
    expect(variables()).toEqual(['MY_DB_NAME=/web/my-db', 'MY_DB_ENV_A=b=c']);
  });
  it('names the ends of three ports or more in a row, of one protocol', () => {
    const ends = variables('82/tcp', '80/tcp', '81/tcp', '83/udp', '90/tcp', '91/tcp').filter((text) =>
      /_(START|END)=/.test(text),
    );
    expect(ends).toEqual([
      'MY_DB_PORT_80_TCP_START=tcp://172.17.0.2:80',
      'MY_DB_PORT_80_TCP_PORT_START=80',
      'MY_DB_PORT_80_TCP_END=tcp://172.17.0.2:82',
      'MY_DB_PORT_80_TCP_PORT_END=82',
    ]);
  });
});

describe('waiting and locking', () => {
  it('tells those who wait for an exit, and keeps those who wait for removal', async () => {
    const waiters = new Waiters();
    const exit = waiters.wait('a', 'next-exit');
    const removed = waiters.wait('a', 'removed');
    waiters.tell('a', 'next-exit', { exitCode: 3, error: '' });
    expect((await exit).exitCode).toBe(3);
    waiters.tell('a', 'removed', { exitCode: 4, error: '' });
    expect((await removed).exitCode).toBe(4);
  });
  it('remembers how the last 256 ended that removed themselves', () => {
    const waiters = new Waiters();
    for (let n = 0; n < 257; n += 1) waiters.remember(`c${n}`, { exitCode: n, error: '' });
    expect(waiters.ended('c0')).toBeUndefined();
    expect(waiters.ended('c1')).toEqual({ exitCode: 1, error: '' });
    expect(waiters.ended('c256')).toEqual({ exitCode: 256, error: '' });
    expect(waiters.ended('other')).toBeUndefined();
  });
  it('runs one at a time for one id, also after a failure', async () => {
    const locks = new Locks();
    const order: string[] = [];
    const first = locks.run('a', async () => {
      await new Promise((r) => setTimeout(r, 5));
      order.push('first');
      throw new Error('failed');
    });
    const second = locks.run('a', async () => void order.push('second'));
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(order).toEqual(['first', 'second']);
  });
});

describe('health', () => {
  const result = (exitCode: number) => ({ start: '', end: '', exitCode, output: '' });
  it('is unhealthy after as many failures in a row as retries', () => {
    let health = nextHealth({ status: 'starting', failingStreak: 0, log: [] }, result(1), 2, false);
    expect(health.status).toBe('starting');
    health = nextHealth(health, result(1), 2, false);
    expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
    expect(nextHealth(health, result(0), 2, false)).toMatchObject({ status: 'healthy', failingStreak: 0 });
  });
  it.each([
    [50_000_000, '50ms'],
    [1_500_000_000, '1.5s'],
    [90_000_000_000, '1m30s'],
    [3_600_000_000_000, '1h0m0s'],
  ])('M1 tells %i ns as Go does: %s', (time, text) => expect(showDuration(time)).toBe(text));
  it('M36 the image’s test and figures are the container’s where the user gives none', () => {
    const image = { Test: ['CMD', 'true'], Interval: 5e9, Retries: 'many' };
    expect(mergeHealth(undefined, undefined)).toBeUndefined();
    expect(mergeHealth(undefined, image)).toEqual({ Test: ['CMD', 'true'], Interval: 5e9 });
    expect(mergeHealth({ Timeout: 1e9, Interval: 0, Test: [] }, image)).toEqual({
      Test: ['CMD', 'true'],
      Interval: 5e9,
      Timeout: 1e9,
    });
    expect(mergeHealth({ Test: ['NONE'] }, image)?.Test).toEqual(['NONE']);
  });
  it('does not count failures of the start period', () => {
    const health = nextHealth({ status: 'starting', failingStreak: 0, log: [] }, result(1), 1, true);
    expect(health).toMatchObject({ status: 'starting', failingStreak: 0 });
  });
});

describe('M15: what links lead to', () => {
  const container = (id: string, name: string, more: object = {}): Container =>
    ({
      id,
      name,
      hostConfig: { NetworkMode: 'bridge' },
      networks: [{ networkId: 'b' }],
      state: { pid: 7 },
      ...more,
    }) as never; // what links read
  const all = [
    container('1', 'srv'),
    container('2', 'guest', { hostConfig: { NetworkMode: 'container:1' } }),
    container('3', 'onhost', { hostConfig: { NetworkMode: 'host' } }),
    container('4', 'stopped', { state: { pid: 0 } }),
    container('5', 'elsewhere', { networks: [{ networkId: 'n' }] }),
  ];
  const find = (reference: string) => all.find(({ id, name }) => id === reference || name === reference);
  const resolve = (NetworkMode: string, ...Links: string[]) => resolveLinks({ NetworkMode, Links }, find);

  it('the container itself, the owner of its namespace, each alias once; names on a user-defined network', () => {
    const srv = { target: '1', name: 'srv', alias: 'db' };
    expect(resolve('bridge', 'srv:db', 'stopped:db')).toEqual([srv]);
    expect(resolve('default', '/guest:/x/db')).toEqual([srv]);
    expect(resolve('mynet', 'nosuch:db')).toBeUndefined();
    expect(() => resolve('bridge', 'nosuch:db')).toThrow('could not get container for nosuch');
    expect(() => resolve('bridge', 'onhost:db')).toThrow(/host type networking/);
  });

  it('records of older daemons name their targets', () => {
    const old = container('9', 'cli', { hostConfig: { NetworkMode: 'bridge', Links: ['srv:db', 'gone:x'] } });
    expect(linksOf(old, find)).toEqual([{ target: '1', name: 'srv', alias: 'db' }]);
  });

  it('a start needs all of them running on the default network, if the container is on it', () => {
    const linking = (target: string, more: object = {}) =>
      container('9', 'cli', { links: [{ target, name: 'was', alias: 'db' }], ...more });
    expect(() => checkLinks(linking('1'), 'b', find)).not.toThrow();
    expect(() => checkLinks(linking('4'), 'b', find)).toThrow('non running container: /stopped AS /cli/db');
    expect(() => checkLinks(linking('8'), 'b', find)).toThrow('non running container: /was AS /cli/db');
    expect(() => checkLinks(linking('5'), 'b', find)).toThrow(
      'container 5 not attached to default bridge network',
    );
    expect(() => checkLinks(linking('8', { networks: [{ networkId: 'n' }] }), 'b', find)).not.toThrow();
  });

  it('one that is removed is gone from what the user asked, too', () => {
    const cli = container('9', 'cli', {
      hostConfig: { NetworkMode: 'bridge', Links: ['srv:db'] },
      links: [{ target: '1', name: 'srv', alias: 'db' }],
    });
    expect(withoutLink(cli, 'db')).toMatchObject({ links: [], hostConfig: { Links: null } });
    expect(withoutLink(cli, 'other')).toMatchObject({ links: cli.links, hostConfig: { Links: ['srv:db'] } });
  });
});

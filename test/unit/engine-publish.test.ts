import { describe, expect, it, vi } from 'vitest';
import { exposedPorts, parsePort, resolveBindings } from '../../src/engine/attach/publish.js';
import type { ContainerConfig, HostConfig } from '../../src/model/container.js';
import { joinRuns } from '../../src/plan/port-runs.js';

const config = (exposed: string[] = []): ContainerConfig => ({
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  ExposedPorts: Object.fromEntries(exposed.map((p) => [p, {}])),
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: [],
  Cmd: null,
  Entrypoint: null,
  Image: 'x',
  WorkingDir: '',
  Labels: {},
});
const hostConfig = (PortBindings: HostConfig['PortBindings'], PublishAllPorts = false): HostConfig => ({
  NetworkMode: 'default',
  PortBindings,
  PublishAllPorts,
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
});
const host = ['0.0.0.0', '::'];
const never = () => {
  throw new Error('no port was to be picked');
};

describe('publish (P1, P2, P5)', () => {
  it('gives a binding without address both families', () => {
    const found = resolveBindings(
      config(),
      hostConfig({ '80/tcp': [{ HostIp: '', HostPort: '8080' }] }),
      host,
      never,
    );
    expect(found.map((b) => `${b.hostIp} ${b.hostPort}:${b.containerPort}/${b.protocol}x${b.count}`)).toEqual(
      ['0.0.0.0 8080:80/tcpx1', ':: 8080:80/tcpx1'],
    );
  });
  it('keeps one given address alone, and takes off the brackets of IPv6', () => {
    const bindings = {
      '80/udp': [
        { HostIp: '127.0.0.1', HostPort: '1' },
        { HostIp: '[::1]', HostPort: '2' },
      ],
    };
    const found = resolveBindings(config(), hostConfig(bindings), host, never);
    expect(found.map((b) => b.hostIp)).toEqual(['127.0.0.1', '::1']);
  });
  it('joins 10,000 single bindings into one range per family', () => {
    const many = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [
        `${10_000 + i}/tcp`,
        [{ HostIp: '', HostPort: String(10_000 + i) }],
      ]),
    );
    const found = resolveBindings(config(), hostConfig(many), host, never);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({ hostPort: 10_000, containerPort: 10_000, count: 10_000 });
  });
  it('publishes every exposed port with -P, but not one that -p names', () => {
    const picks: number[] = [];
    const found = resolveBindings(
      config(['80/tcp', '443/tcp']),
      hostConfig({ '80/tcp': [{ HostIp: '', HostPort: '8080' }] }, true),
      ['0.0.0.0'],
      (_protocol, _addresses, from, to) => {
        picks.push(from, to);
        return 32768;
      },
    );
    expect(found.map((b) => [b.hostPort, b.containerPort])).toEqual([
      [8080, 80],
      [32768, 443],
    ]);
    expect(picks).toEqual([0, 0]);
  });
  it('never picks one port twice in one container', () => {
    const found = resolveBindings(
      config(),
      hostConfig({ '80/tcp': [{ HostIp: '', HostPort: '' }], '81/tcp': [{ HostIp: '', HostPort: '0' }] }),
      ['0.0.0.0'],
      (_protocol, _addresses, _from, _to, taken) => (taken(32768) ? 32769 : 32768),
    );
    expect(found.map((b) => b.hostPort + b.count)).toEqual([32770]);
  });
  it('N F9: keeps the numbers that it had where the addresses change', () => {
    const wanted = hostConfig({
      '80/tcp': [
        { HostIp: '', HostPort: '' },
        { HostIp: '', HostPort: '8080' },
        { HostIp: '::1', HostPort: '1' },
      ],
    });
    const before = resolveBindings(config(), wanted, ['127.0.0.1'], () => 32768);
    const after = resolveBindings(config(), wanted, host, never, before);
    const texts = after.map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`);
    expect(texts.sort()).toEqual(['0.0.0.0 32768', '0.0.0.0 8080', ':: 32768', ':: 8080', '::1 1']);
    expect(resolveBindings(config(), wanted, ['127.0.0.1'], never, after)).toEqual(before);
  });
  it.each(['0/tcp', '65536/tcp', 'x/tcp', '80/icmp', '80-81/tcp', '-1'])('refuses %s', (text) => {
    expect(() => parsePort(text)).toThrow('invalid port specification');
  });
  it('parses what is exposed once for one container, however often it is asked', () => {
    const looks = vi.fn(Reflect.ownKeys);
    const published: HostConfig['PortBindings'] = { '80/tcp': null };
    const bindings = new Proxy(published, { ownKeys: (target) => looks(target) });
    const first = exposedPorts(config(['81/tcp']), hostConfig(bindings));
    expect(looks).toHaveBeenCalledTimes(1);
    const [image, host] = [config(['82/tcp']), hostConfig(bindings)];
    expect(exposedPorts(image, host)).not.toBe(first);
    expect(exposedPorts({ ...image }, { ...host, AutoRemove: true })).toBe(exposedPorts(image, host));
    expect(looks).toHaveBeenCalledTimes(2);
  });
  it('names what is exposed once each, by protocol and number', () => {
    const found = exposedPorts(
      config(['80/tcp', '9/udp', '10/tcp', '7/sctp']),
      hostConfig({ '80': null, '080/TCP': null, '9/tcp': null }),
    );
    expect(found.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual([
      '7/sctp',
      '9/tcp',
      '10/tcp',
      '80/tcp',
      '9/udp',
    ]);
  });
  it('publishes 10,000 exposed ports with -P as one range', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `${10_000 + i}/tcp`);
    let asked = 0;
    const found = resolveBindings(
      config(many),
      hostConfig({}, true),
      ['0.0.0.0'],
      (_p, _a, _f, _t, taken) => {
        asked += 1;
        expect(taken(30_000 + asked)).toBe(false);
        return 30_000 + asked;
      },
    );
    expect(asked).toBe(10_000);
    expect(found).toEqual([
      { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 30_001, containerPort: 10_000, count: 10_000 },
    ]);
  });
  it.each(['8000-', '-1', '70000', '8010-8000', 'x', '123456'])('refuses the host port %s', (HostPort) => {
    expect(() =>
      resolveBindings(config(), hostConfig({ '80/tcp': [{ HostIp: '', HostPort }] }), host, never),
    ).toThrow(`invalid publish port: ${HostPort}`);
  });
  it('does not join what goes different ways', () => {
    const one = { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 1, containerPort: 1, count: 1 } as const;
    expect(joinRuns([one, { ...one, hostPort: 2, containerPort: 3 }])).toHaveLength(2);
  });
});

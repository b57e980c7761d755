/** With which flags etcd is started: of which version, at which beginning. */
import { expect, test } from 'vitest';
import type { Beginning, EtcdSettings } from '../../src/cluster/etcd/contract.js';
import { etcdArguments, hasPeerSocket, startEtcd } from '../../src/cluster/etcd/process.js';
import { findPrograms } from '../../src/cluster/programs.js';

const settings: EtcdSettings = {
  name: 'm1',
  clusterToken: 'c1',
  dataDirectory: '/nonexistent/data',
  runDirectory: '/nonexistent/run',
  logFile: '/nonexistent/log',
  advertise: { host: '2001:db8:1::1', port: 2377 },
  files: { certificate: '/c', key: '/k', trust: '/t' },
};
const flags = (begin: Beginning, version = '3.4.23'): readonly string[] =>
  etcdArguments(settings, begin, version, 12_380);

test('its client side is a socket of root’s, its peers come by the door and show managers’ certificates', () => {
  const found = flags({ kind: 'new' });
  expect(found).toContain('--listen-client-urls=unix://client:1');
  expect(found).toContain('--listen-peer-urls=unixs://peer:1');
  expect(found).toContain('--initial-advertise-peer-urls=https://[2001:db8:1::1]:2377');
  expect(found).toContain('--peer-client-cert-auth');
  expect(found).toContain('--peer-cert-allowed-hostname=swarm-manager');
  expect(found).toContain('--initial-cluster=m1=https://[2001:db8:1::1]:2377');
  expect(found.filter((flag) => /0\.0\.0\.0|http:/.test(flag))).toEqual([]);
});

test('only who is told to founds a cluster', () => {
  const of = (begin: Beginning) =>
    flags(begin)
      .filter((flag) => /initial-cluster-state|force/.test(flag))
      .join(' ');
  expect(of({ kind: 'new' })).toBe('--initial-cluster-state=new');
  expect(of({ kind: 'again' })).toBe('--initial-cluster-state=existing');
  expect(of({ kind: 'join', members: [['m2', 'https://h:1']] })).toBe('--initial-cluster-state=existing');
  expect(of({ kind: 'force-new' })).toBe('--initial-cluster-state=new --force-new-cluster');
  expect(
    flags({
      kind: 'join',
      members: [
        ['m2', 'https://h:1'],
        ['m1', 'https://g:1'],
      ],
    }),
  ).toContain('--initial-cluster=m2=https://h:1,m1=https://g:1');
});

test('versions that speak no TLS on a socket have their peers’ side on the loopback', () => {
  expect(['3.4.23', '3.5.16', '3.6.0', '4.0.0'].map(hasPeerSocket)).toEqual([true, false, false, false]);
  const found = flags({ kind: 'new' }, '3.6.4');
  expect(found).toContain('--listen-peer-urls=https://127.0.0.1:12380');
  expect(found.filter((flag) => flag.includes('experimental'))).toEqual([]);
});

test('a member that should be there and is not is not made anew', async () => {
  for (const kind of ['again', 'force-new'] as const)
    await expect(startEtcd('/nonexistent/etcd', settings, { kind })).rejects.toThrow(
      "the swarm's data is gone",
    );
});

test('what is not on the machine is named, with the command that brings it', () => {
  expect(() => findPrograms('/nonexistent')).toThrow(
    'a swarm needs etcd and serf, not found on this machine: install with "apt install etcd-server serf"',
  );
});

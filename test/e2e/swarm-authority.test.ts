/**
 * S1: `docker swarm ca`, whole: an authority takes another's place by the real client, while nodes are down, killed and removed, while the
 * leader dies, and while somebody wants another one still. Nobody loses its session for longer than a moment, and no quorum is lost.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { layout } from '../../src/cluster/life/layout.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

/** Milliseconds: an election takes up to six seconds. A store whose members do not believe each other stays away. */
const LONGEST_GAP = 10_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(4);
  const first = lab.host(1);
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  for (const [number, role] of [
    [2, 'manager'],
    [3, 'manager'],
    [4, 'worker'],
  ] as const) {
    const token = await first.docker('swarm', 'join-token', '-q', role);
    await lab.host(number).docker('swarm', 'join', '--token', token, first.ipv4);
  }
  await until('all are there', () => allReady(first), 20_000);
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

interface Tls {
  readonly TrustRoot: string;
  readonly CertIssuerSubject: string;
  readonly CertIssuerPublicKey: string;
}
interface Shown {
  readonly ID: string;
  readonly Status: { readonly State: string };
  readonly Description: { readonly Hostname: string; readonly TLSInfo: Tls };
  readonly ManagerStatus?: { readonly Reachability: string; readonly Leader?: boolean };
}
interface Cluster {
  readonly TLSInfo: Tls;
  readonly RootRotationInProgress: boolean;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly CAConfig: Readonly<Record<string, unknown>> };
}

const nodesBy = async ({ api }: LabHost): Promise<readonly Shown[]> => {
  const { status, json } = await api('GET', '/nodes');
  return status === 200 ? (json as readonly Shown[]) : [];
};
const clusterBy = async ({ api }: LabHost): Promise<Cluster> => (await api('GET', '/swarm')).json as Cluster;

/** All nodes are ready, and all managers among them can be reached, as this one says. */
const allReady = async (by: LabHost): Promise<boolean> => {
  const nodes = await nodesBy(by);
  const managers = nodes.flatMap(({ ManagerStatus }) => ManagerStatus?.Reachability ?? []);
  return (
    nodes.length === lab.hosts.length &&
    nodes.every(({ Status }) => Status.State === 'ready') &&
    managers.length === 3 &&
    managers.every((state) => state === 'reachable')
  );
};

const leaderOf = async (by: LabHost): Promise<LabHost> => {
  let found: LabHost | undefined;
  await until('somebody leads', async () => {
    const leader = (await nodesBy(by)).find(({ ManagerStatus }) => ManagerStatus?.Leader);
    found = lab.hosts.find(({ name }) => name === leader?.Description.Hostname);
    return found !== undefined;
  });
  if (!found) throw new Error('nobody leads');
  return found;
};

/** Everybody has a certificate by the one authority that everybody trusts. */
const isDone = async (by: LabHost): Promise<boolean> => {
  const cluster = await clusterBy(by);
  const nodes = await nodesBy(by);
  return (
    !cluster.RootRotationInProgress &&
    nodes.length > 0 &&
    nodes.every(({ Description: { TLSInfo } }) => JSON.stringify(TLSInfo) === JSON.stringify(cluster.TLSInfo))
  );
};

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const trustFileOf = ({ dataRoot, execRoot }: LabHost): string =>
  readFileSync(layout(dataRoot, execRoot).trust, 'utf8');

/** As the client does it, which reads first: again, where the leader has written in between, or where etcd elects, as it does on a busy machine. */
const writes = (by: LabHost, text: string): Promise<unknown> =>
  until(
    `${by.name} writes ${text}`,
    async () => (await by.docker.try(['node', 'update', '--label-add', text, 'host4'])).code === 0,
    LONGEST_GAP,
  );

test('S1: docker swarm ca shows the authority, and --rotate replaces it while everybody keeps its session', async () => {
  const [first, second, third] = [lab.host(1), lab.host(2), lab.host(3)];
  const former = await first.docker('swarm', 'ca');
  expect(former).toBe((await clusterBy(second)).TLSInfo.TrustRoot.trim());
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  expect((await first.docker.try(['swarm', 'ca', '--cert-expiry', '2h'])).stderr).toContain(
    'requires the `--rotate` flag',
  );

  const rotating = first.docker.try(['swarm', 'ca', '--rotate', '--cert-expiry', '48h'], {
    timeoutMs: 90_000,
  });
  let ended = false;
  void rotating.finally(() => {
    ended = true;
  });
  let longest = 0;
  let seen = Date.now();
  for (let i = 0; !ended; i += 1) {
    // Of the managers one is asked at each time: none of them loses the others for longer than a restart of its etcd.
    await writes([first, second, third][i % 3] ?? first, `round=${i}`);
    if (await allReady(first)) {
      longest = Math.max(longest, Date.now() - seen);
      seen = Date.now();
    }
  }
  const { stdout, stderr, code } = await rotating;
  expect([code, stderr]).toEqual([0, '']);
  const now = await first.docker('swarm', 'ca');
  expect(now).not.toBe(former);
  expect(stdout).toContain(`desired root digest: ${digestOf((await clusterBy(first)).TLSInfo.TrustRoot)}`);
  expect(stdout).toContain(now);
  expect(longest).toBeLessThan(LONGEST_GAP);

  for (const host of lab.hosts) expect(trustFileOf(host).trim()).toBe(now);
  for (const host of [first, second, third]) {
    expect(await isDone(host)).toBe(true);
    expect((await clusterBy(host)).Spec.CAConfig).toEqual({ NodeCertExpiry: 48 * 3_600e9, ForceRotate: 1 });
  }
  const [, digest, secret] = token.split('-').slice(1);
  const [, digestNow, secretNow] = (await first.docker('swarm', 'join-token', '-q', 'worker'))
    .split('-')
    .slice(1);
  expect(secretNow).toBe(secret);
  expect(digestNow).not.toBe(digest);
}, 120_000);

test('S1: the former authority’s token is refused, and everything goes on by the new one when all start anew', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  for (const host of lab.hosts) await host.restart();
  await until('all are there again', () => allReady(first), 30_000);
  await Promise.all([1, 2, 3, 4].map((number) => lab.host(number).crash()));
  await Promise.all([1, 2, 3, 4].map((number) => lab.host(number).start()));
  await until('all are there after a power cut', () => allReady(second), 60_000);
  await writes(second, 'after=cut');
}, 120_000);

test('S1: an authority of one’s own, by its two files', async () => {
  const first = lab.host(1);
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-authority-'));
  try {
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem'];
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'ignore'] });
    openssl(...request, '-subj', '/O=Example/CN=Our swarm', '-days', '800');
    const files = ['--ca-cert', join(directory, 'ca.pem'), '--ca-key', join(directory, 'ca.key')];
    const shown = await first.docker('swarm', 'ca', '--rotate', '--quiet', ...files);
    const own = readFileSync(join(directory, 'ca.pem'), 'utf8').trim();
    expect(shown).toBe('');
    expect(await first.docker('swarm', 'ca')).toBe(own);
    expect(await isDone(lab.host(3))).toBe(true);
    // The same once more is nothing.
    const { Version } = await clusterBy(first);
    await first.docker('swarm', 'ca', '--rotate', '--detach', ...files);
    expect((await clusterBy(first)).RootRotationInProgress).toBe(false);
    expect((await clusterBy(first)).Version.Index).toBeGreaterThan(Version.Index);

    openssl(...request, '-subj', '/CN=Short', '-days', '30');
    const soon = await first.docker.try(['swarm', 'ca', '--rotate', ...files]);
    expect(soon.stderr).toContain('CA certificate expires too soon');
    openssl(...request, '-subj', '/CN=Last', '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0');
    const last = await first.docker.try(['swarm', 'ca', '--rotate', ...files]);
    expect(last.stderr).toContain('pathlen:0');
    const external = ['--external-ca', 'protocol=cfssl,url=https://192.0.2.254/sign', ...files.slice(0, 2)];
    const elsewhere = await first.docker.try(['swarm', 'ca', '--rotate', ...external]);
    expect(elsewhere.stderr).toContain('external certificate authorities are not supported');
    expect(await first.docker('swarm', 'ca')).toBe(own);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);

test('S1: a node that is down is waited for, by a second authority too, and through another leader', async () => {
  const [first, fourth] = [lab.host(1), lab.host(4)];
  const former = (await clusterBy(first)).TLSInfo.TrustRoot;
  await fourth.crash();
  const toBe = async (wanted: Tls): Promise<void> => {
    await until('all others have a certificate by it', async () => {
      const rotated = (await nodesBy(first)).filter(
        ({ Description: { TLSInfo } }) => TLSInfo.CertIssuerPublicKey === wanted.CertIssuerPublicKey,
      );
      return rotated.length === 3;
    });
    const cluster = await clusterBy(first);
    expect([cluster.RootRotationInProgress, cluster.TLSInfo]).toEqual([true, wanted]);
    expect(cluster.TLSInfo.TrustRoot).toBe(former);
  };
  await first.docker('swarm', 'ca', '--rotate', '--detach');
  const once = (await clusterBy(first)).TLSInfo;
  await toBe(once);
  await first.docker('swarm', 'ca', '--rotate', '--detach');
  const twice = (await clusterBy(first)).TLSInfo;
  expect(twice.CertIssuerPublicKey).not.toBe(once.CertIssuerPublicKey);
  await toBe(twice);

  const leader = await leaderOf(first);
  await leader.crash();
  const [other] = [lab.host(2), lab.host(3)].filter(({ name }) => name !== leader.name);
  if (!other) throw new Error('unreachable');
  await until('another one leads', async () => (await leaderOf(other)).name !== leader.name, 40_000);
  expect((await clusterBy(other)).RootRotationInProgress).toBe(true);
  await leader.start();
  await fourth.start();
  await until('everybody is so far', () => isDone(other), 60_000);
  expect((await clusterBy(other)).TLSInfo.CertIssuerPublicKey).toBe(twice.CertIssuerPublicKey);
  await until('all are there', () => allReady(first), 30_000);
}, 180_000);

test('S1: whichever daemon is killed at whichever moment, the authority is replaced', async () => {
  const other = (number: number): LabHost => lab.host((number % 3) + 1);
  for (const [i, ms] of [50, 300, 700, 1_300, 2_200].entries()) {
    const number = (i % 4) + 1;
    const by = other(number);
    const former = (await clusterBy(by)).TLSInfo.TrustRoot;
    await by.docker('swarm', 'ca', '--rotate', '--detach');
    await pause(ms);
    await lab.host(number).kill9();
    await lab.host(number).start();
    await until(`all are so far, one of them killed after ${ms} ms`, () => isDone(by), 60_000);
    expect((await clusterBy(by)).TLSInfo.TrustRoot).not.toBe(former);
    await until('all are there', () => allReady(by), 30_000);
  }
}, 240_000);

test('S1: a node that does not come back is removed, and nobody is waited for any more', async () => {
  const [first, fourth] = [lab.host(1), lab.host(4)];
  await fourth.crash();
  await first.docker('swarm', 'ca', '--rotate', '--detach');
  await until('it is seen as down', async () =>
    (await first.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('host4 Down'),
  );
  expect((await clusterBy(first)).RootRotationInProgress).toBe(true);
  await first.docker('node', 'rm', '--force', 'host4');
  await until('the others are enough', () => isDone(first), 30_000);
  expect(await nodesBy(first)).toHaveLength(3);
  await fourth.start();
  await fourth.docker('swarm', 'leave', '--force');
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  await fourth.docker('swarm', 'join', '--token', token, first.ipv4);
  await until('it is there again', () => allReady(first), 20_000);
}, 90_000);

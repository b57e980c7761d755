/**
 * S1: certificates that end soon are renewed over the session while all goes on. No certificate lives less than an hour, so the nodes are given
 * ones that were issued nearly an hour ago, by the cluster's own authority.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityOf, issue, requestCertificate } from '../../src/cluster/ca/authority.js';
import type { Authority } from '../../src/cluster/ca/contract.js';
import { createEtcdClient } from '../../src/cluster/etcd/client.js';
import { layout } from '../../src/cluster/life/layout.js';
import { openSecrets } from '../../src/cluster/life/secrets.js';
import { SECRETS_KEY } from '../../src/cluster/mirror/keys.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

const HOUR = 3_600_000;
/** Milliseconds that are left of the lives: a node looks at its certificate each minute. */
const LEFT = 75_000;
/** milliseconds */
const LONGEST_GAP = 1_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(3, { images: ['alpine'] });
  const first = lab.host(1);
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s', '--cert-expiry', '1h');
  for (const [host, role] of [
    [lab.host(2), 'manager'],
    [lab.host(3), 'worker'],
  ] as const) {
    const token = await first.docker('swarm', 'join-token', '-q', role);
    await host.docker('swarm', 'join', '--token', token, first.ipv4);
  }
  await until('all are there', () => allReady(first));
  await first.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
  for (const host of [first, lab.host(3)])
    await host.docker('run', '-d', '--name', `at${host.name}`, '--network', 'net', 'alpine', 'sleep', '600');
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

interface Shown {
  readonly Status: { readonly State: string };
  readonly ManagerStatus?: { readonly Reachability: string };
}

/** All nodes are ready, and both managers among them can be reached, as this one says. */
const allReady = async ({ api }: LabHost): Promise<boolean> => {
  const { status, json } = await api('GET', '/nodes');
  if (status !== 200) return false;
  const nodes = json as readonly Shown[];
  const reachable = nodes.filter(({ ManagerStatus }) => ManagerStatus?.Reachability === 'reachable');
  return (
    nodes.length === 3 && nodes.every(({ Status }) => Status.State === 'ready') && reachable.length === 2
  );
};

const placesOf = ({ dataRoot, execRoot }: LabHost) => {
  const at = layout(dataRoot, execRoot);
  return {
    certificate: at.certificate,
    key: join(at.directory, 'node.key'),
    data: join(at.directory, 'data.key'),
    etcd: join(at.etcdRun, 'client:1'),
  };
};
const certificateOf = (host: LabHost) => new X509Certificate(readFileSync(placesOf(host).certificate));
const endOf = (host: LabHost): number => Date.parse(certificateOf(host).validTo);

/** As a manager has it. */
const authorityOf = async (host: LabHost): Promise<Authority> => {
  const places = placesOf(host);
  const clusterId = identityOf(certificateOf(host))?.clusterId ?? '';
  const etcd = createEtcdClient({ endpoints: [{ kind: 'unix', path: places.etcd }] });
  const { entries } = await etcd.range({ prefix: '/viaduct/swarm/' });
  etcd.close();
  const sealed = entries.find(({ key }) => key.endsWith(`/${SECRETS_KEY}`))?.value ?? '';
  return openSecrets(Buffer.from(readFileSync(places.data, 'utf8'), 'base64'), clusterId, sealed).authority;
};

/** A certificate for its own key that is nearly over. */
const age = (host: LabHost, authority: Authority): void => {
  const places = placesOf(host);
  const identity = identityOf(certificateOf(host));
  if (!identity) throw new Error(`${host.name} has no node’s certificate`);
  const request = requestCertificate(readFileSync(places.key, 'utf8'));
  const issued = { ...identity, addresses: [host.ipv4], now: Date.now() + LEFT - HOUR, validFor: HOUR };
  writeFileSync(places.certificate, issue(authority, request, issued));
};

/** The serial number of what is shown at a manager's door: with a protocol by its daemon, without by its etcd. */
const shown = async (host: LabHost, ...flags: readonly string[]): Promise<string> => {
  const call = `openssl s_client -connect ${host.ipv4}:2377 ${flags.join(' ')} </dev/null 2>/dev/null`;
  return (await lab.wire.try(`${call} | openssl x509 -noout -serial`)).stdout.trim();
};

test('S1: certificates can be made to live an hour and not less', async () => {
  const { docker } = lab.host(1);
  const refused = await docker.try(['swarm', 'update', '--cert-expiry', '59m']);
  expect(refused.stderr).toContain('minimum certificate expiry time is: 1h0m0s');
  for (const host of lab.hosts) expect(endOf(host) - Date.now()).toBeLessThan(1.01 * HOUR);
});

test('S1: what ends soon is renewed over the session, by etcd too, and nothing is cut', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  const authority = await authorityOf(first);
  for (const host of lab.hosts) age(host, authority);
  const over = Math.max(...lab.hosts.map(endOf));
  expect(over - Date.now()).toBeLessThanOrEqual(LEFT);
  const pinging = first.docker.try(['exec', 'athost1', 'ping', '-i', '0.2', '-w', '60', 'athost3'], {
    timeoutMs: 90_000,
  });
  let longest = 0;
  let seen = Date.now();
  await until(
    'each node has a new one',
    async () => {
      if (await allReady(first)) {
        longest = Math.max(longest, Date.now() - seen);
        seen = Date.now();
      }
      return lab.hosts.every((host) => endOf(host) > over);
    },
    LEFT,
  );
  expect(Date.now()).toBeLessThan(over);
  for (const host of [first, second]) {
    const serial = `serial=${certificateOf(host).serialNumber}`;
    await until('its door shows it', async () => (await shown(host, '-alpn', 'viaduct/1')) === serial);
    await until('and its etcd', async () => (await shown(host)) === serial);
  }
  const { stdout } = await pinging;
  const [, sent = 0, received = 0] = /(\d+) packets transmitted, (\d+)/.exec(stdout)?.map(Number) ?? [];
  expect(sent).toBeGreaterThan(200);
  expect(sent - received).toBeLessThan(LONGEST_GAP / 200);
  expect(longest).toBeLessThan(LONGEST_GAP);

  // When the former ones are over, all come back by the new ones.
  await pause(Math.max(0, over - Date.now()) + 1_000);
  await second.restart();
  await first.restart();
  await until('all are there again', () => allReady(second), 20_000);
  await second.docker('node', 'update', '--label-add', 'written=renewed', 'host3');
}, 180_000);

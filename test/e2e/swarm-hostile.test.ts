/**
 * S1, D8: strangers on the wire of a swarm. Whatever they send to its ports, it answers throughout, keeps no memory for it, and nothing
 * changes. What one message can be is in test/unit/cluster-hostile.test.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createAuthority,
  generateKey,
  hostOf,
  issue,
  requestCertificate,
} from '../../src/cluster/ca/authority.js';
import { encodeFrame } from '../../src/cluster/session/frames.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { PATIENCE, until } from '../support/run.js';
import { WIRE } from '../support/world.js';

/** Connections that one origin may have without a certificate: src/cluster/door/mux.ts. */
const MOST_OF_ONE = 64;
/** A daemon's memory moves by this much with nobody there. */
const FLAT_KB = 64 * 1024;
/** milliseconds */
const SLOWEST_ANSWER = 2_000 * PATIENCE;

let lab: Lab;
let manager: LabHost;
let worker: LabHost;
/** where the strangers keep their files */
let base: string;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine'] });
  [manager, worker] = [lab.host(1), lab.host(2)];
  base = manager.world.base;
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, manager.ipv4);
  await manager.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
  for (const [host, name] of [
    [manager, 'one'],
    [worker, 'two'],
  ] as const)
    await host.docker('run', '-d', '--name', name, '--network', 'net', 'alpine', 'sleep', '600');
  await until('two is reached', () => pings('two'));
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

const pings = async (to: string): Promise<boolean> =>
  (await manager.docker.try(['exec', 'one', 'ping', '-c', '1', '-W', '1', to])).code === 0;

/** What a manager knows, the programs that it has, and on each node the links. */
const state = async (): Promise<string> => {
  const known = ['/swarm', '/nodes', '/networks', '/services', '/tasks'];
  const texts = await Promise.all(known.map(async (path) => (await manager.api('GET', path)).text));
  const links = await Promise.all(lab.hosts.map(({ host }) => host('ip -br link')));
  return [...texts, programs('etcd'), programs('serf'), ...links].join('\n');
};
const programs = (name: string): string =>
  manager.world
    .processes()
    .filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`)
    .join();
const memoryKb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${manager.pid()}/status`, 'utf8'))?.[1]);

/** The manager answers while `work` is done, and is as it was before. */
const undisturbed = async (work: () => Promise<unknown>): Promise<void> => {
  const [before, memory] = [await state(), memoryKb()];
  let over = false;
  let slowest = 0;
  const asking = async (): Promise<void> => {
    while (!over) {
      const begun = performance.now();
      expect((await manager.api('GET', '/nodes')).status).toBe(200);
      slowest = Math.max(slowest, performance.now() - begun);
      await pause(50);
    }
  };
  await Promise.all([
    work().finally(() => {
      over = true;
    }),
    asking(),
  ]);
  expect(slowest).toBeLessThan(SLOWEST_ANSWER);
  expect(memoryKb() - memory).toBeLessThan(FLAT_KB);
  expect(await state()).toBe(before);
};

/** Words of bash, by a stranger, who is cut off as a rule; answers what they print. */
const stranger = async (script: string): Promise<string> => {
  const file = join(base, 'stranger.sh');
  writeFileSync(file, script);
  return (await lab.wire.try(`bash ${file}`)).stdout;
};

const DOOR = '/dev/tcp/192.0.2.1/2377';

/** By TLS to the manager's door; answers what came back, and 'closed' behind it where the manager closed it. */
const speak = async (bytes: Buffer, ...flags: string[]): Promise<string> => {
  const file = join(base, 'said');
  writeFileSync(file, bytes);
  const call = `openssl s_client -quiet -connect 192.0.2.1:2377 ${flags.join(' ')}`;
  const { stdout, code } = await lab.wire.try(`timeout 8 ${call} <${file} 2>/dev/null`);
  return `${stdout}${code === 124 ? '' : 'closed'}`;
};
const SESSION = ['-alpn', 'viaduct/1'];
/** By a node's own certificate. */
const as = ({ dataRoot }: LabHost): readonly string[] => {
  const place = join(dataRoot, 'swarm');
  return ['-cert', join(place, 'node.crt'), '-key', join(place, 'node.key')];
};
const ask = (type: string, fields: object = {}): Buffer => encodeFrame({ type, ask: 1, ...fields });
const length = (bytes: number): Buffer => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes);
  return header;
};

test(
  'S1: garbage on all its ports',
  () =>
    undisturbed(async () => {
      const said = await stranger(`
      for i in $(seq 100); do
        (head -c $((RANDOM % 3000 + 1)) /dev/urandom >${DOOR}) 2>/dev/null
        (printf '\\x16\\x03\\x01\\x40\\x00\\x01' | cat - <(head -c 17000 /dev/urandom) >${DOOR}) 2>/dev/null
        (head -c $((RANDOM % 1400 + 1)) /dev/urandom >/dev/udp/192.0.2.1/7946) 2>/dev/null
        (head -c $((RANDOM % 3000 + 1)) /dev/urandom >/dev/tcp/192.0.2.1/7946) 2>/dev/null
        (head -c $((RANDOM % 1400 + 1)) /dev/urandom >/dev/udp/192.0.2.1/4789) 2>/dev/null
      done
      echo sent`);
      expect(said).toBe('sent\n');
    }),
  60_000,
);

test(
  'S1: a member of the gossip without its key is nobody',
  () =>
    undisturbed(async () => {
      const { stdout } = await lab.wire.try(
        `timeout 4 serf agent -node=stranger -bind=${WIRE.ipv4}:7946 -rpc-addr=127.0.0.1:7373 -join=192.0.2.1:7946 2>&1`,
      );
      expect(stdout).toContain('Failed to join');
    }),
  60_000,
);

const connections = async (): Promise<number> =>
  Number(await manager.host(`ss -Htn state established 'sport = :2377' | grep -c '${WIRE.ipv4}' || true`));

test('S1: connections that say nothing, or never end saying it, are few and end; a node comes all the same', async () => {
  const hello = join(base, 'hello');
  // A whole hello without a protocol goes to etcd, and there is nothing behind it.
  await lab.wire.try(
    `socat -u TCP-LISTEN:9,bind=127.0.0.1,reuseaddr CREATE:${hello} & sleep 0.5; timeout 1 openssl s_client -connect 127.0.0.1:9 </dev/null`,
  );
  expect(readFileSync(hello).length).toBeGreaterThan(100);
  await undisturbed(async () => {
    const attack = stranger(`
      for i in $(seq 100); do exec {silent}<>${DOOR}; done 2>/dev/null
      for i in $(seq 100); do exec {half}<>${DOOR}; printf '\\x16\\x03\\x01\\x02\\x00' >&$half; done 2>/dev/null
      sleep 1
      exec {slow}<>${DOOR}
      for i in $(seq 14); do sleep 1; head -c $i ${hello} | tail -c 1 >&$slow; done 2>/dev/null`);
    // The kernel takes more, which are closed as soon as the daemon sees them.
    await until('a few are left', async () => {
      const now = await connections();
      return now > MOST_OF_ONE / 2 && now <= MOST_OF_ONE;
    });
    await worker.restart();
    await until('the worker is there', async () =>
      (await manager.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('host2 Ready'),
    );
    await attack;
    await until('none is left', async () => (await connections()) === 0, 15_000);
  });
  await undisturbed(async () => {
    const attack = stranger(`
      for i in $(seq 80); do exec {to}<>${DOOR}; cat ${hello} >&$to; done 2>/dev/null
      sleep 25`);
    await until('etcd has them', async () => (await connections()) > MOST_OF_ONE / 2);
    await until('etcd gives them up', async () => (await connections()) === 0, 20_000);
    await attack;
  });
}, 120_000);

test(
  'S1: who shows no certificate may ask one question, in form, and is told no more than whom to trust',
  () =>
    undisturbed(async () => {
      expect(await speak(ask('authorities'), ...SESSION)).toMatch(/BEGIN CERTIFICATE.*closed$/s);
      expect(await speak(Buffer.concat([ask('beat'), ask('beat')]), ...SESSION)).toBe('closed');
      for (const bytes of [
        length(0xffffffff),
        length(16_385),
        encodeFrame([]),
        ask('enrol', { address: 'a' }),
      ])
        expect(await speak(bytes, ...SESSION)).toBe('closed');
      const key = requestCertificate(generateKey());
      const joining = { secret: '0'.repeat(25), request: key, availability: 'active', advertise: ':2377' };
      expect(await speak(ask('join', joining), ...SESSION)).toContain('A valid join token is necessary');
      for (const protocol of ['h2', 'viaduct/2', 'http/1.1'])
        expect(await speak(ask('authorities'), '-alpn', protocol)).toBe('closed');
    }),
  60_000,
);

const MEMBERS = Buffer.from('GET /members HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n');

test(
  'S1: a certificate of others opens nothing, and a worker’s no more than is a worker’s',
  () =>
    undisturbed(async () => {
      const now = Date.now();
      const key = generateKey();
      const clusterId = await manager.docker('info', '-f', '{{.Swarm.Cluster.ID}}');
      const nodeId = await manager.docker('info', '-f', '{{.Swarm.NodeID}}');
      const of = { nodeId, clusterId, role: 'manager', addresses: [WIRE.ipv4], now, validFor: 1 } as const;
      const [cert, keyFile] = [join(base, 'foreign.crt'), join(base, 'foreign.key')];
      writeFileSync(cert, issue(createAuthority(now), requestCertificate(key), of));
      writeFileSync(keyFile, key);
      const foreign = ['-cert', cert, '-key', keyFile, '-servername', hostOf('manager')];
      expect(await speak(ask('enrol', { address: 'a' }), ...SESSION, ...foreign)).toBe('closed');
      // etcd's own members are told where the others are, and nobody else.
      expect(await speak(MEMBERS, ...as(manager))).toContain('peerURLs');
      for (const who of [foreign, as(worker), []]) expect(await speak(MEMBERS, ...who)).toBe('closed');

      const asWorker = [...SESSION, ...as(worker)];
      const end = length(0xffffffff);
      const refused = async (type: string, fields: object): Promise<string> =>
        speak(Buffer.concat([ask(type, fields), end]), ...asWorker);
      const tasks = Array.from({ length: 1_000 }, () => ({ ports: [{}, {}, {}] }));
      expect(await speak(end, ...asWorker)).toBe('closed');
      expect(await refused('report', { tasks })).toBe('closed');
      expect(await refused('detach', { id: 'a', node: nodeId })).toMatch(/no session here|^closed/);
      expect(await speak(ask('enrol', { address: '192.0.2.2:2377' }), ...asWorker)).toContain(
        'this node is no manager',
      );
    }),
  120_000,
);

test('D8: VXLAN by a stranger reaches no container', async () => {
  const network = '{{index .Options "com.docker.network.driver.overlay.vxlanid_list"}}';
  const vni = await manager.docker('network', 'inspect', '-f', network, 'net');
  const at = '{{with index .NetworkSettings.Networks "net"}}{{.IPAddress}} {{.MacAddress}}{{end}}';
  const [address = '', mac = ''] = (await manager.docker('inspect', '-f', at, 'one')).split(' ');
  const pid = await manager.docker('inspect', '-f', '{{.State.Pid}}', 'one');
  const forged = address.replace(/\d+$/, '200');
  await lab.wire(`
    ip link add forger type vxlan id ${vni} local ${WIRE.ipv4} remote 192.0.2.1 dstport 4789
    ip address add ${forged}/24 dev forger
    ip link set forger up
    ip neigh replace ${address} lladdr ${mac} dev forger`);
  await undisturbed(async () => {
    const inside = manager.host.try(`timeout 6 nsenter -t ${pid} -n tcpdump -nn -l -i any icmp or arp 2>&1`);
    const outside = manager.host.try(
      `timeout 6 tcpdump -nn -l -i eth0 'udp port 4789 and src ${WIRE.ipv4}' 2>&1`,
    );
    await pause(1_500);
    expect((await lab.wire.try(`ping -c 3 -i 0.3 -W 1 ${address}`)).code).not.toBe(0);
    await worker.docker('exec', 'two', 'ping', '-c', '1', '-W', '1', address);
    expect((await outside).stdout).toContain('VXLAN');
    const heard = (await inside).stdout;
    expect(heard).toContain('ICMP echo request');
    expect(heard).not.toContain(forged);
  });
  await lab.wire('ip link delete forger');
}, 60_000);

/** The routing mesh on one node, as the overlay driver has it: clients outside, tasks in sandboxes, and what changes meanwhile. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { overlay } from '../../src/drivers/overlay/index.js';
import { createNftables } from '../../src/kernel/nftables/index.js';
import type { Balancer } from '../../src/model/balancer.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { aBalancer, anEndpoint, anOverlay, aSandbox, aView } from '../support/views.js';
import { BRIDGE, build, diff, endpoint, inside, ip, network, testKernel } from './kernel-support.js';
import { CALLS, HELLO, node, SERVER, TALK } from './service-scripts.js';

const TASKS = [2, 3, 4] as const;
/** The client is on a bridge beside the ingress network; this host's address there, and its own. */
const HOST = { 4: '172.18.0.1', 6: 'fd00::1' } as const;
const CLIENT = 5;
const SEEN = { 4: '::ffff:172.18.0.5', 6: 'fd00::5' } as const;

const INGRESS = anOverlay({
  ingress: true,
  ipv6: true,
  pools: [
    { family: 4, subnet: '10.77.0.0/16', gateway: '10.77.0.1', auxiliary: {} },
    { family: 6, subnet: 'fd00:77::/64', gateway: 'fd00:77::1', auxiliary: {} },
  ],
});
const place = { attached: true, address: '192.0.2.2', number: 258 };
const HOSTS = [{ id: 'one', name: 'one', address: '192.0.2.2', own: true, number: 258 }];
const FORWARDING: readonly KernelObject[] = ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'].map((path) => ({
  kind: 'sysctl',
  ns: 'host',
  path: `net/${path}`,
  value: '1',
}));

const served = (of: readonly number[], leaving: readonly number[] = []): Balancer =>
  aBalancer([], {
    networkId: INGRESS.id,
    backends: of.map((n) => ({ id: `t${n}`, node: 'one', ipv4: `10.77.0.${n}`, ipv6: `fd00:77::${n}` })),
    leaving: leaving.flatMap((n) => [`10.77.0.${n}`, `fd00:77::${n}`]),
    ports: [{ protocol: 'tcp', publishedPort: 80, targetPort: 80 }],
  });

describe('S8 the mesh', () => {
  let t: ReturnType<typeof testKernel>;
  let client: string;
  let nft: ReturnType<typeof createNftables>;
  const children: ChildProcess[] = [];
  const task = (n: number): string => t.sandbox(`t${n}`);

  const published = (balancer: Balancer): readonly KernelObject[] =>
    overlay.balancer?.({ ...aView({ network: INGRESS, place }), balancer }) ?? [];
  const publish = (before: Balancer | undefined, after: Balancer): void =>
    t.kernel.apply(diff(before ? published(before) : [], published(after)));

  const taskObjects = (n: number): readonly KernelObject[] => [
    { kind: 'netns', path: task(n) },
    ...overlay.endpoint(
      aView({
        network: INGRESS,
        place,
        sandbox: aSandbox({ netns: task(n) }),
        endpoint: anEndpoint({
          networkId: INGRESS.id,
          hostIfname: `veth0000000000${n}`,
          mac: `02:42:0a:4d:00:0${n}`,
          ipv4: `10.77.0.${n}/16`,
          ipv6: `fd00:77::${n}/64`,
          bindings: [],
        }),
      }),
    ),
  ];

  const start = async (ns: string, script: string, ...args: readonly string[]): Promise<ChildProcess> => {
    const child = spawn('nsenter', node(ns, script, ...args), { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return child;
  };
  const asked = async (script: string, ...args: readonly string[]): Promise<Record<string, number>> => {
    const { stdout } = await promisify(execFile)('nsenter', [...node(client, script, ...args)]);
    return JSON.parse(stdout) as Record<string, number>; // what the scripts print
  };

  beforeEach(async () => {
    nft = createNftables();
    t = testKernel({ nftables: nft, services: () => true });
    t.kernel.ensureTables();
    client = t.sandbox('client');
    t.kernel.apply(
      build([
        ...FORWARDING,
        ...network(),
        { kind: 'netns', path: client },
        ...endpoint(client, CLIENT, BRIDGE),
        ...(overlay.between?.([aView({ network: INGRESS, place })], HOSTS) ?? []),
        ...overlay.network(aView({ network: INGRESS, place })),
        ...TASKS.flatMap(taskObjects),
      ]),
    );
    await Promise.all(TASKS.map((n) => start(task(n), SERVER, `t${n}`)));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    t.kernel.apply(diff(t.kernel.observe(), []));
    t.kernel.dropTables();
    await t.end();
  });

  test.each([4, 6] as const)('IPv%i: tasks take turns, and see the client’s own address', async (family) => {
    publish(undefined, served([2]));
    expect(await asked(HELLO, HOST[family])).toEqual({ [`t2 ${SEEN[family]}`]: 1 });
    publish(served([2]), served([2, 3, 4]));
    const said = await asked(CALLS, HOST[family], '90', '300');
    expect(Object.keys(said).sort()).toEqual(['t2', 't3', 't4']);
  });

  test('no request fails while tasks come and go', async () => {
    const steps = [[2, 3, 4], [2, 4], [4], [4, 3], [3], [3, 2, 4], [2]];
    publish(undefined, served([2, 3]));
    let now: readonly number[] = [2, 3];
    const running = asked(CALLS, HOST[4], '600', '300');
    for (const next of [...steps, ...steps, ...steps]) {
      await sleep(90);
      publish(served(now, TASKS), served(next, TASKS));
      now = next;
    }
    const said = await running;
    expect(Object.keys(said).sort()).toEqual(['t2', 't3', 't4']);
    expect(Object.values(said).reduce((a, b) => a + b)).toBe(600);
  });

  test('what is under way to one that leaves stays, until he has gone; then it ends and does not hang', async () => {
    publish(undefined, served([3]));
    const talk = await start(client, TALK, HOST[4]);
    let said = '';
    talk.stdout?.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    publish(served([3]), served([2], [3]));
    const heard = said.length;
    await sleep(500);
    expect(said.length).toBeGreaterThan(heard);
    ip('link', 'set', 'veth00000000003', 'down');
    await sleep(300);
    publish(served([2], [3]), served([2]));
    await once(talk, 'exit');
    expect(said).toContain('ECONNRESET');
  });

  test('tasks speak with nodes alone', () => {
    for (const address of ['10.77.0.3', 'fd00:77::3'])
      expect(() => inside(task(2), 'ping', '-c', '1', '-W', '1', address)).toThrow();
    inside(task(2), 'ping', '-c', '1', '-W', '2', '172.18.0.5');
    // A node that is gone: the bridge knows no port for it, and would ask all.
    inside(task(2), 'ip', 'neigh', 'replace', '10.77.0.1', 'lladdr', '02:43:00:00:00:09', 'dev', 'eth0');
    expect(() => inside(task(2), 'ping', '-c', '1', '-W', '1', '172.18.0.5')).toThrow();
    expect(
      inside('/proc/self/ns/net', 'nft', 'list', 'chain', 'netdev', 'viaduct', 'veth00000000002'),
    ).toMatch(/@nodes counter packets [1-9]/);
  });

  test('the way back is seen as it was made, and mended where somebody changed it', () => {
    const wanted = taskObjects(2).filter(({ kind }) => kind === 'wayBack');
    const [first] = wanted;
    const here = (): readonly KernelObject[] =>
      t.kernel.observe().filter((o) => o.kind === 'wayBack' && o.ns === task(2));
    expect(first).toBeDefined();
    expect(diff(here(), wanted)).toEqual([]);
    for (const damage of [
      ['flush', 'ruleset'],
      ['delete', 'table', 'netdev', 'viaduct_mesh'],
    ]) {
      inside(task(2), 'nft', ...damage);
      expect(first && t.kernel.present(first)).toBe(false);
      t.kernel.apply(diff(here(), wanted));
      expect(diff(here(), wanted)).toEqual([]);
    }
    t.kernel.apply(diff(wanted, []));
    expect(inside(task(2), 'nft', 'list', 'tables')).not.toContain('viaduct_mesh');
  });

  test('nft lists what it can read again', () => {
    publish(undefined, served([2, 3]));
    expect(execFileSync('nft', ['list', 'table', 'inet', 'viaduct'], { encoding: 'utf8' })).toContain(
      'map @mesh_slots4',
    );
  });
});

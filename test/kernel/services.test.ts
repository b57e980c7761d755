/** Addresses of services in the sandboxes of those who call them: TCP, UDP, echo, both families, and what changes meanwhile. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KernelObject, ServiceAddress, ServicesObject } from '../../src/plan/objects.js';
import { BRIDGE, build, diff, endpoint, inside, network, testKernel } from './kernel-support.js';
import { CALLS, DATAGRAMS, HELLO, node, SERVER, TALK } from './service-scripts.js';

const VIP = '172.18.9.9';
const VIP6 = 'fd00::9:9';
const BACKENDS = [2, 3, 4] as const;
const CLIENT = 5;
const v4 = (n: number): string => `172.18.0.${n}`;
const v6 = (n: number): string => `fd00::${n}`;

describe('S6 a service’s address', () => {
  let t: ReturnType<typeof testKernel>;
  let client: string;
  const children: ChildProcess[] = [];
  const backend = (n: number): string => t.sandbox(`b${n}`);

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
  const calls = (host: string, count: number, rate = 1000) => asked(CALLS, host, String(count), String(rate));

  const services = (...all: readonly ServiceAddress[]): ServicesObject => ({
    kind: 'services',
    ns: client,
    services: all,
  });
  const both = (of: readonly number[], leaving: readonly number[] = []): ServicesObject =>
    services(
      { address: VIP, backends: of.map(v4), leaving: leaving.map(v4) },
      { address: VIP6, backends: of.map(v6), leaving: leaving.map(v6) },
    );
  const apply = (from: readonly KernelObject[], to: readonly KernelObject[]): void =>
    t.kernel.apply(diff(from, to));

  beforeEach(async () => {
    t = testKernel({ services: () => true });
    client = t.sandbox('client');
    const boxes = [...BACKENDS.map((n) => [n, backend(n)] as const), [CLIENT, client] as const];
    t.kernel.apply(
      build([
        ...network(),
        ...boxes.flatMap(([n, path]) => [{ kind: 'netns', path } as const, ...endpoint(path, n, BRIDGE)]),
      ]),
    );
    await Promise.all(BACKENDS.map((n) => start(backend(n), SERVER, `b${n}`)));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    t.kernel.apply(diff(t.kernel.observe(), []));
    await t.end();
  });

  test.each([VIP, VIP6])('%s: connections and datagrams are spread, an echo comes back', async (address) => {
    t.kernel.apply(build([both(BACKENDS)]));
    for (const said of [await calls(address, 300), await asked(DATAGRAMS, address, '300')]) {
      expect(Object.keys(said).sort()).toEqual(['b2', 'b3', 'b4']);
      for (const count of Object.values(said)) expect(count).toBeGreaterThan(60);
    }
    expect(inside(client, 'ping', '-c', '1', '-W', '2', address)).toContain('1 received');
  });

  test('the callee sees the caller’s own address, and may be the caller himself', async () => {
    client = backend(2);
    apply([], [both([2])]);
    expect(await calls(VIP, 5)).toEqual({ b2: 5 });
    expect(await asked(HELLO, VIP)).toEqual({ 'b2 ::ffff:172.18.0.2': 1 });
    apply([both([2])], [both([3])]);
    expect(await asked(HELLO, VIP)).toEqual({ 'b3 ::ffff:172.18.0.2': 1 });
    expect(await asked(HELLO, VIP6)).toEqual({ 'b3 fd00::2': 1 });
  });

  test('who is taken out while 200 connections a second come: none of them fails, and he gets no more', async () => {
    apply([], [both(BACKENDS)]);
    const running = calls(VIP, 600, 200);
    await sleep(1200);
    apply([both(BACKENDS)], [both([2, 4], [3])]);
    await sleep(200);
    children[1]?.kill('SIGKILL');
    apply([both([2, 4], [3])], [both([2, 4])]);
    await sleep(300);
    apply([both([2, 4])], [both([4])]);
    const said = await running;
    expect(Object.keys(said).sort()).toEqual(['b2', 'b3', 'b4']);
    expect(Object.values(said).reduce((a, b) => a + b)).toBe(600);
    expect(await calls(VIP, 30)).toEqual({ b4: 30 });
  });

  test('what is under way to one that leaves stays, until he has gone; then it ends and does not hang', async () => {
    apply([], [both([3])]);
    const talk = await start(client, TALK, VIP);
    let said = '';
    talk.stdout?.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    apply([both([3])], [both([2], [3])]);
    const heard = said.length;
    await sleep(500);
    expect(said.length).toBeGreaterThan(heard);
    // Not a word from him: his node is lost.
    execFileSync('ip', ['link', 'set', 'veth00000000003', 'down']);
    await sleep(300);
    const begin = Date.now();
    apply([both([2], [3])], [both([2])]);
    await once(talk, 'exit');
    expect(said).toContain('ECONNRESET');
    expect(Date.now() - begin).toBeLessThan(3_000);
  });

  test('without a backend connections are refused at once; without a service there is no table', async () => {
    apply([], [both([])]);
    const begin = performance.now();
    expect(await calls(VIP, 3)).toEqual({ ECONNREFUSED: 3 });
    expect(await calls(VIP6, 3)).toEqual({ ECONNREFUSED: 3 });
    expect(performance.now() - begin).toBeLessThan(2_000);
    expect(inside(client, 'nft', 'list', 'tables')).toBe('table inet viaduct\n');
    apply([both([])], []);
    expect(inside(client, 'nft', 'list', 'tables')).toBe('');
    expect(t.kernel.observe().filter(({ kind }) => kind === 'services')).toEqual([]);
  });

  test('what is there is seen as it was made, listed by nft, and mended where somebody changed it', async () => {
    const wanted = both(BACKENDS);
    const here = (): readonly KernelObject[] => t.kernel.observe().filter(({ kind }) => kind === 'services');
    apply([], [wanted]);
    expect(diff(here(), [wanted])).toEqual([]);
    expect(t.kernel.present(wanted)).toBe(true);
    expect(t.kernel.present(both([2]))).toBe(false);
    expect(inside(client, 'nft', 'list', 'ruleset')).toContain('map @backends4');
    for (const damage of [
      ['flush', 'ruleset'],
      ['flush', 'map', 'inet', 'viaduct', 'backends4'],
      ['delete', 'element', 'inet', 'viaduct', 'backends6', `{ ${VIP6} . 1 }`],
    ]) {
      inside(client, 'nft', ...damage);
      expect(t.kernel.present(wanted)).toBe(false);
      const steps = diff(here(), [wanted]);
      expect(steps).toHaveLength(1);
      t.kernel.apply(steps);
      expect(diff(here(), [wanted])).toEqual([]);
    }
    inside(client, 'nft', 'flush', 'ruleset');
    apply([wanted], [both([4])]);
    expect(await calls(VIP, 10)).toEqual({ b4: 10 });
  });

  test('one backend among a thousand is changed in a millisecond', () => {
    const address = (n: number): string => `10.1.${n >> 8}.${n & 255}`;
    const many = Array.from({ length: 1_000 }, (_, n) => address(n));
    const object = (backends: readonly string[]) => services({ address: VIP, backends, leaving: [] });
    apply([], [object(many)]);
    const [first, ...rest] = many;
    const without = [rest.at(-1) ?? '', ...rest.slice(0, -1)];
    const times: number[] = [];
    for (let i = 0; i < 15; i += 1)
      for (const [from, to] of [
        [many, without],
        [without, [...without, first ?? '']],
        [[...without, first ?? ''], many],
      ] as const) {
        const begin = performance.now();
        apply([object(from)], [object(to)]);
        times.push(performance.now() - begin);
      }
    times.sort((a, b) => a - b);
    console.log(`one of 1,000 backends changed: median ${times[times.length >> 1]?.toFixed(2)} ms`);
    expect(times[times.length >> 1]).toBeLessThan(process.env.VIADUCT_VM === undefined ? 2 : 40);
    expect(t.kernel.present(object(many))).toBe(true);
  });
});

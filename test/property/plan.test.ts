/** Plans between any two worlds the bridge driver can describe. Worlds share ids, so that much stays, moves or changes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import type { PortBinding } from '../../src/model/port.js';
import { diff } from '../../src/plan/diff.js';
import { inverse } from '../../src/plan/inverse.js';
import { type ElementObject, type KernelObject, objectKey } from '../../src/plan/objects.js';
import { Interpreter } from '../support/interpreter.js';
import { aNetwork, anEndpoint, aSandbox, HOST } from '../support/views.js';

const B = 'com.docker.network.bridge';
const NETWORKS = 3;
const SANDBOXES = 2;

const networkOptions = fc.record({
  ipv6: fc.boolean(),
  internal: fc.boolean(),
  icc: fc.boolean(),
  masquerade: fc.boolean(),
  mode: fc.constantFrom('nat', 'nat-unprotected', 'routed'),
  mtu: fc.constantFrom('1500', '9000'),
});

const world = fc.record({
  networks: fc.array(fc.option(networkOptions, { nil: undefined }), {
    minLength: NETWORKS,
    maxLength: NETWORKS,
  }),
  sandboxes: fc.array(fc.boolean(), { minLength: SANDBOXES, maxLength: SANDBOXES }),
  /** for each pair of network and sandbox: is there an endpoint, with which MAC, and where is it published */
  endpoints: fc.array(
    fc.option(
      fc.record({
        mac: fc.integer({ min: 1, max: 2 }),
        address: fc.integer({ min: 0, max: 1 }),
        ports: fc.nat(3),
      }),
      {
        nil: undefined,
      },
    ),
    { minLength: NETWORKS * SANDBOXES, maxLength: NETWORKS * SANDBOXES },
  ),
  gateway: fc.nat(NETWORKS),
  /** which endpoint has which host ports */
  ports: fc.shuffledSubarray([8000, 8010, 8020, 8030, 8040, 8050], { minLength: 6, maxLength: 6 }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const bindings = (first: number, kind: number): PortBinding[] => {
  const one = { protocol: 'tcp' as const, hostPort: first, containerPort: 80, count: 1 };
  if (kind === 1)
    return [
      { ...one, hostIp: '0.0.0.0' },
      { ...one, hostIp: '::' },
    ];
  if (kind === 2) return [{ ...one, hostIp: '127.0.0.1', count: 3 }];
  return kind === 3
    ? [{ ...one, hostIp: '0.0.0.0', hostPort: first * 4, containerPort: first * 4, count: 20 }]
    : [];
};

const networkOf = (w: World, n: number) => {
  const o = w.networks[n];
  if (!o) return undefined;
  return aNetwork({
    id: `a${n}`,
    ipv6: o.ipv6,
    internal: o.internal,
    options: {
      [`${B}.enable_icc`]: String(o.icc),
      [`${B}.enable_ip_masquerade`]: String(o.masquerade),
      [`${B}.gateway_mode_ipv4`]: o.mode,
      'com.docker.network.driver.mtu': o.mtu,
    },
    pools: [
      { family: 4, subnet: `172.${18 + n}.0.0/16`, gateway: `172.${18 + n}.0.1`, auxiliary: {} },
      { family: 6, subnet: `fd00:${n}::/64`, gateway: `fd00:${n}::1`, auxiliary: {} },
    ],
  });
};

/** Every object of a world, slices in the engine's order. */
const derive = (w: World): KernelObject[] => {
  const out: KernelObject[] = [];
  for (let n = 0; n < NETWORKS; n += 1) {
    const network = networkOf(w, n);
    if (network) out.push(...bridge.network({ network, host: HOST }));
  }
  for (let s = 0; s < SANDBOXES; s += 1) {
    if (!w.sandboxes[s]) continue;
    const netns = `/run/netns/${s}`;
    out.push({ kind: 'netns', path: netns }, { kind: 'resolver', ns: netns, sandboxId: String(s) });
    for (let n = 0; n < NETWORKS; n += 1) {
      const network = networkOf(w, n);
      const e = w.endpoints[n * SANDBOXES + s];
      if (!network || !e) continue;
      const host = s * 4 + e.address + 2;
      const endpoint = anEndpoint({
        id: `e${n}${s}`,
        ifname: `eth${n}`,
        mac: `02:42:0a:00:00:0${e.mac}`,
        ipv4: `172.${18 + n}.0.${host}/16`,
        ...(network.ipv6 ? { ipv6: `fd00:${n}::${host}/64` } : {}),
        bindings: bindings(w.ports[n * SANDBOXES + s] ?? 0, e.ports),
        linkedTo: [{ protocol: 'tcp', port: 5432, address: `172.${18 + n}.0.9` }],
      });
      const gateway = w.gateway === n ? endpoint.id : null;
      const sandbox = aSandbox({ id: `5${s}`, netns, gateway4: gateway, gateway6: gateway });
      out.push(...bridge.endpoint({ host: HOST, network, endpoint, sandbox }));
    }
  }
  return out;
};

const isElement = (o: KernelObject): o is ElementObject => o.kind === 'element';

/** Is the host port of a publishing element held? */
const held = (e: ElementObject, objects: readonly KernelObject[]): boolean => {
  const [protocol, ports] = e.key.slice(-2);
  const first = Number(ports?.split('-')[0]);
  return objects.some(
    (o) => o.kind === 'hostport' && o.protocol === protocol && o.port <= first && first < o.port + o.count,
  );
};

/**
 * What a state permits, as texts: each opening, each port led to us that is not held, and each guard (of either world)
 * that is missing while its interface is up.
 */
const permits = (objects: readonly KernelObject[], guards: readonly ElementObject[]): Set<string> => {
  const facts = new Set<string>();
  const there = new Set(objects.map(objectKey));
  for (const o of objects) {
    if (!isElement(o)) continue;
    facts.add(`${objectKey(o)} : ${o.data?.join(' ') ?? ''}`);
    if (/^(publish|relay)/.test(o.set) && !held(o, objects)) facts.add(`not held: ${objectKey(o)}`);
  }
  const up = new Set(objects.flatMap((o) => (o.kind === 'link' && o.up ? [o.name] : [])));
  for (const guard of guards)
    if (!there.has(objectKey(guard)) && guard.key.some((field) => up.has(field)))
      facts.add(`unguarded: ${objectKey(guard)}`);
  return facts;
};

const stateOf = (objects: readonly KernelObject[]): unknown => new Interpreter(objects).state;

describe('plans between any two worlds', () => {
  it('are empty from a world to itself', () => {
    fc.assert(
      fc.property(world, (w) => {
        expect(diff(derive(w), derive(w).reverse())).toEqual([]);
      }),
    );
  });

  it('lead from the one to the other', () => {
    fc.assert(
      fc.property(world, world, (a, b) => {
        const kernel = new Interpreter(derive(a));
        kernel.run(diff(derive(a), derive(b)));
        expect(kernel.state).toEqual(stateOf(derive(b)));
      }),
      { numRuns: 100 },
    );
  });

  it('can be taken back from any step', () => {
    fc.assert(
      fc.property(world, world, fc.nat(), (a, b, at) => {
        const plan = diff(derive(a), derive(b));
        const done = plan.slice(0, at % (plan.length + 1));
        const kernel = new Interpreter(derive(a));
        kernel.run(done);
        kernel.run(inverse(done));
        expect(kernel.state).toEqual(stateOf(derive(a)));
      }),
      { numRuns: 100 },
    );
  });

  it('never permit more than the old or the new world does, at any step, forth or back', () => {
    fc.assert(
      fc.property(world, world, fc.nat(), (a, b, at) => {
        const before = derive(a);
        const after = derive(b);
        const guards = [...before, ...after].filter(isElement).filter((e) => e.guard);
        const allowed = new Set([...permits(before, guards), ...permits(after, guards)]);
        const kernel = new Interpreter(before);
        const check = (): void => {
          for (const fact of permits(kernel.objects, guards)) if (!allowed.has(fact)) throw new Error(fact);
        };
        const plan = diff(before, after);
        const done = plan.slice(0, at % (plan.length + 1));
        kernel.run(done, check);
        kernel.run(inverse(done), check);
      }),
      { numRuns: 100 },
    );
  });

  it('are found missing a guard that comes late: the check itself works', () => {
    const [guard, link] = [
      { kind: 'element', family: 'bridge', set: 'guards', key: ['veth0'], guard: true } as const,
      {
        kind: 'link',
        type: 'bridge',
        ns: 'host',
        name: 'veth0',
        mac: '',
        mtu: 1500,
        up: true,
        owned: true,
      } as const,
    ];
    expect([...permits([link], [guard])]).toEqual(['unguarded: element bridge guards veth0']);
    expect([...permits([link, guard], [guard])]).toEqual(['element bridge guards veth0 : ']);
  });
});

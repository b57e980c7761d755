/** What every driver keeps, whatever it makes. A new driver in `DRIVERS` is tested by being there. */
import { describe, expect, it } from 'vitest';
import type { Driver, EndpointView } from '../../src/drivers/contract.js';
import { DRIVERS, plugin } from '../../src/drivers/index.js';
import type { Network } from '../../src/model/network.js';
import type { Vtep } from '../../src/model/peer.js';
import { build, diff } from '../../src/plan/diff.js';
import { inverse } from '../../src/plan/inverse.js';
import { type KernelObject, objectKey } from '../../src/plan/objects.js';
import { print } from '../../src/plan/print.js';
import { aHost } from '../support/machine/host.js';
import type { Machine } from '../support/machine/machine.js';
import { said } from '../support/machine/said.js';
import { aBalancer, aNetwork, anEndpoint, aPeer, aSandbox, aView, POOL4, POOL6 } from '../support/views.js';

/** Networks that several others share something with are tried too. */
const OPTIONS: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> = {
  ipvlan: [{ parent: 'eth0' }, { parent: 'eth0.50', ipvlan_mode: 'l3s', ipvlan_flag: 'private' }],
  macvlan: [{ parent: 'eth0' }, { parent: 'eth0.50', macvlan_mode: 'private' }],
  bridge: [{ 'com.docker.network.bridge.name': 'mine0' }, { 'viaduct.fastpath': 'true' }],
  ovs: [{ bridge: 'sw0', vlan: '10' }],
};

/** What a plugin answered, for the driver of all plugins' networks. */
const ANSWER = {
  source: 'tap0',
  gateway4: '172.18.0.1',
  gateway6: 'fd00:1::1',
  routes: [
    { destination: '10.0.0.0/8', via: '172.18.0.9' },
    { destination: '192.0.2.0/24' },
    { destination: '172.18.0.0/16' },
    { destination: '0.0.0.0/0', via: '172.18.0.9' },
  ],
  external: true,
};

/** Of a host on encrypted networks. */
const KEY = Buffer.alloc(32, 7).toString('base64');

/** A cluster of two. */
const HOSTS: readonly Vtep[] = [
  { id: 'node1', name: 'one', address: '192.0.2.2', own: true, tunnel: { key: KEY, port: 51_820 } },
  {
    id: 'node2',
    name: 'two',
    address: '192.0.2.3',
    own: false,
    tunnel: { key: Buffer.alloc(32, 8).toString('base64'), port: 51_820 },
    number: 2,
  },
];

/** What all hosts publish of a service. */
const SERVED = aBalancer([2, 3], {
  ports: [
    { protocol: 'tcp', publishedPort: 80, targetPort: 8080 },
    { protocol: 'udp', publishedPort: 81, targetPort: 8081 },
  ],
});

const views = (of: Driver): EndpointView[] => {
  const { name: driver, capabilities } = of;
  const overlay = of.wish ? { overlay: { vni: 4096, port: 4789, mtu: 1450 } } : {};
  const place = of.wish ? { place: { attached: true, address: '192.0.2.2' } } : {};
  const options = { driver, ...overlay, ...(capabilities.addresses ? {} : { pools: [] }) };
  const dual = { ipv6: true, ...options, ...(options.pools ? {} : { pools: [POOL4, POOL6] }) };
  const bindings = [
    { protocol: 'tcp' as const, hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 },
    { protocol: 'udp' as const, hostIp: '::', hostPort: 5000, containerPort: 5000, count: 100 },
  ];
  const answered = {
    ...(capabilities.hostEnd ? {} : { hostIfname: '' }),
    ...(of === plugin ? { plugin: ANSWER } : {}),
  };
  const endpoint = capabilities.interfaces
    ? anEndpoint({ bindings, ipv6: 'fd00:1::2/64', ...answered })
    : anEndpoint({ ifname: '', hostIfname: '', mac: '' });
  const sandbox = capabilities.interfaces ? aSandbox() : aSandbox({ netns: '', mode: 'host' });
  return [
    aView({ network: aNetwork(options), endpoint, sandbox, ...place }),
    aView({ network: aNetwork(dual), endpoint, sandbox, ...place }),
    aView({ network: aNetwork({ ...dual, internal: true }), endpoint, sandbox, ...place }),
    aView({ network: aNetwork(dual), endpoint, sandbox, ...place, host: { ipv6: false, mtu: 9000 } }),
    ...(of.wish
      ? [
          aView({
            network: aNetwork({ ...dual, overlay: { vni: 4096, port: 4790, mtu: 1370, encrypted: true } }),
            endpoint,
            sandbox,
            place: { attached: true, address: '192.0.2.2', key: KEY },
          }),
        ]
      : []),
    ...(of.balancer
      ? [
          aView({
            network: aNetwork({ ...dual, ingress: true }),
            endpoint,
            sandbox,
            place: { attached: true, address: '192.0.2.2', number: 1 },
          }),
        ]
      : []),
    ...(OPTIONS[driver] ?? []).map((given) =>
      aView({ network: aNetwork({ ...dual, options: given }), endpoint, sandbox }),
    ),
  ];
};

/** A plugin's link comes back with the MAC that it was given. */
const onMachine = ({ world }: Machine): readonly string[] =>
  said(world).filter((line) => !line.startsWith('link host:tap0 '));

const sandboxSlice = ({ sandbox }: EndpointView): KernelObject[] =>
  sandbox.netns === '' ? [] : [{ kind: 'netns', path: sandbox.netns }];

describe.each([...DRIVERS.values(), plugin])('driver $name', (driver) => {
  const cases = views(driver);
  const shared = ({ network, host }: EndpointView): readonly KernelObject[] =>
    driver.shared?.([network], host) ?? [];
  const all = (view: EndpointView): KernelObject[] => [
    ...shared(view),
    ...(driver.between?.([view], HOSTS) ?? []),
    ...driver.network(view),
    ...(driver.peer?.({ ...view, peer: aPeer() }) ?? []),
    ...HOSTS.flatMap((vtep) => driver.vtep?.({ ...view, vtep }) ?? []),
    ...(driver.balancer?.({ ...view, balancer: SERVED }) ?? []),
    ...driver.endpoint(view),
  ];

  it('answers the same for the same view, and never touches it', () => {
    for (const view of cases) {
      const copy = structuredClone(view);
      expect(shared(view)).toEqual(shared(copy));
      expect(driver.network(view)).toEqual(driver.network(copy));
      expect(driver.endpoint(view)).toEqual(driver.endpoint(copy));
      expect(view).toEqual(copy);
    }
  });

  it('answers plain data, each object once, no object of both slices', () => {
    for (const view of cases) {
      const objects = all(view);
      expect(JSON.parse(JSON.stringify(objects))).toEqual(objects);
      expect(new Set(objects.map(objectKey)).size).toBe(objects.length);
    }
  });

  it('touches only the host’s and the sandbox’s namespace, with names the kernel takes', () => {
    for (const view of cases)
      for (const o of all(view)) {
        if ('ns' in o) expect(['host', view.sandbox.netns]).toContain(o.ns);
        if (o.kind === 'link') expect(o.name).toMatch(/^[^\s/:]{1,15}$/);
        if (o.kind === 'sysctl')
          expect(o.path).toMatch(/^net\/[a-z0-9]+\/(conf|neigh)\/[^/\s]+\/[a-z0-9_]+$/);
      }
  });

  it('keeps its word on interfaces, ports and addresses', () => {
    const { interfaces, ports, addresses } = driver.capabilities;
    for (const view of cases) {
      const objects = all(view);
      const some = (kind: KernelObject['kind']): boolean => objects.some((o) => o.kind === kind);
      expect(some('link')).toBe(interfaces);
      expect(some('address')).toBe(addresses);
      const way = view.network.internal
        ? undefined
        : (driver.leadsOut?.(view.network) ?? { ipv4: true, ipv6: true });
      expect(some('hostport')).toBe(ports && way !== undefined && (way.ipv4 || way.ipv6));
    }
  });

  it('tells the name of the host’s interface, which alone has addresses of the network on the host', () => {
    for (const view of cases) {
      const links = [...shared(view), ...driver.network(view), ...driver.endpoint(view)].flatMap((o) =>
        o.kind === 'address' && o.ns === 'host' ? [o.link] : [],
      );
      const name = driver.hostInterface?.(view);
      expect(links.filter((link) => link !== name)).toEqual([]);
      if (name !== undefined) expect(links).not.toEqual([]);
    }
  });

  it('makes plans that can be carried out, undone at any step, and taken away without a trace', () => {
    for (const view of cases) {
      const before = sandboxSlice(view);
      const after = [...before, ...all(view)];
      const plan = diff(before, after);
      const begun = () => {
        const machine = aHost(['tap0']);
        machine.plug('host', 'eth0');
        const empty = onMachine(machine);
        machine.apply(build(before));
        return { machine, empty, first: onMachine(machine) };
      };
      for (let n = 0; n <= plan.length; n += 1) {
        const { machine, first } = begun();
        machine.apply(plan.slice(0, n));
        machine.takeBack(inverse(plan.slice(0, n)));
        expect(onMachine(machine)).toEqual(first);
      }
      const { machine, empty } = begun();
      machine.apply(plan);
      machine.apply(diff(after, []));
      expect(onMachine(machine)).toEqual(empty);
    }
  });

  it('prints one line a step', () => {
    for (const view of cases) {
      const plan = build(all(view));
      expect(print(plan).split('\n')).toHaveLength(plan.length + 1);
    }
  });

  it('gives no default route through an internal network, nor through an endpoint that is not the gateway', () => {
    const defaults = (view: EndpointView): KernelObject[] =>
      driver.endpoint(view).filter((o) => o.kind === 'route' && /^(0\.0\.0\.0|::)\/0$/.test(o.destination));
    for (const view of cases) {
      if (view.network.internal) expect(defaults(view)).toEqual([]);
      expect(defaults({ ...view, sandbox: { ...view.sandbox, gateway4: null, gateway6: null } })).toEqual([]);
    }
  });

  it('shares between networks what each of them asks for, once, whatever their order', () => {
    for (const { network, host } of cases) {
      const other = aNetwork({ ...network, id: 'b2', name: 'other' });
      const keys = (networks: readonly Network[]): string[] =>
        (driver.shared?.(networks, host) ?? []).map(objectKey).sort();
      expect(keys([network, other])).toEqual(keys([other, network]));
      expect(new Set(keys([network, other]))).toEqual(new Set([...keys([network]), ...keys([other])]));
      expect(keys([])).toEqual([]);
    }
  });

  it('accepts its own plain network', () => {
    for (const { network, host } of cases) expect(() => driver.validate(network, [], host)).not.toThrow();
  });
});

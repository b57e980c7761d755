/** Commands on networks and containers as decisions, over all drivers and their options, for property tests. */
import fc from 'fast-check';
import { defined } from '../../src/defined.js';
import { allocateOwn } from '../../src/engine/attach/allocate.js';
import {
  connectedTo,
  decideAttachment,
  decideStart,
  designAttachment,
} from '../../src/engine/attach/decide-attach.js';
import { decideDetachment, decideEnd } from '../../src/engine/attach/decide-detach.js';
import { NO_CHANGE } from '../../src/engine/cluster.js';
import { decideRename, decideUnlinking } from '../../src/engine/containers/decide.js';
import type { Decision, Fresh } from '../../src/engine/decision.js';
import { decideCreation, decideRemoval } from '../../src/engine/networks/decide.js';
import { design, naming } from '../../src/engine/networks/design.js';
import { decideFollowing } from '../../src/engine/networks/follow.js';
import { conflict, ViaductError } from '../../src/errors.js';
import { bare } from '../../src/model/address.js';
import { balancerId } from '../../src/model/balancer.js';
import { type Container, type EndpointSettings, NO_SETTINGS } from '../../src/model/container.js';
import type { ContainerId } from '../../src/model/ids.js';
import { GATEWAY_NETWORK } from '../../src/model/network.js';
import { aRequest, type DecidingWorld } from './deciding.js';
import { PARENTS, pluginLink, THEIRS, WIRE } from './machine/host.js';

export type Command = (world: DecidingWorld, fresh: Fresh) => Decision;

/** Of random arguments; a failing property shows them. */
const any = <A extends readonly unknown[]>(
  make: (...args: A) => Command,
  ...args: { readonly [K in keyof Required<A>]: fc.Arbitrary<Required<A>[K]> }
): fc.Arbitrary<Command> =>
  fc.tuple(...args).map((given) =>
    Object.assign(make(...(given as unknown as A)), {
      [fc.toStringMethod]: () => [make.name, ...given.map((each) => fc.stringify(each))].join(' '),
    }),
  );

type Options = Readonly<Record<string, string>>;
/** What a user asks of a new network, beside its name. */
export interface Wish {
  readonly driver: string;
  readonly internal?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly options?: Options;
  readonly subnet?: string;
}

const NETWORKS = ['n0', 'n1', 'n2'] as const;
export const CONTAINERS = [0, 1, 2] as const;

/** Every link that a plugin may be asked for. */
export const PLUGIN_LINKS = CONTAINERS.flatMap((n) => NETWORKS.map((network) => pluginLink(n, network)));

export const nth = (n: number): ContainerId => String(n).padStart(64, 'c') as ContainerId; // the brand is the test's to give

/** Some of the options, each with one of its values or not at all. */
const some = (values: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Options> =>
  fc
    .tuple(
      ...Object.entries(values).map(([label, each]) =>
        fc.option(fc.constantFrom(...each), { nil: undefined }).map((value) => ({ label, value })),
      ),
    )
    .map((all) =>
      Object.fromEntries(all.flatMap(({ label, value }) => (value === undefined ? [] : [[label, value]]))),
    );

const B = 'com.docker.network.bridge';
const MTU = 'com.docker.network.driver.mtu';
const FLAG = ['true', 'false'] as const;

const modes = (internal: boolean): readonly string[] =>
  internal ? ['isolated', 'nat', 'isolated'] : ['nat', 'nat-unprotected', 'routed', 'routed'];

const bridge = fc.boolean().chain((internal) =>
  fc.record({
    driver: fc.constant('bridge'),
    internal: fc.constant(internal),
    ipv6: fc.boolean(),
    options: some({
      [`${B}.enable_icc`]: FLAG,
      [`${B}.enable_ip_masquerade`]: FLAG,
      [`${B}.inhibit_ipv4`]: FLAG,
      [`${B}.gateway_mode_ipv4`]: modes(internal),
      [`${B}.gateway_mode_ipv6`]: modes(internal),
      [`${B}.trusted_host_interfaces`]: [WIRE],
      'com.docker.network.host_ipv4': ['192.0.2.1'],
      'viaduct.fastpath': ['true', 'always'],
      [MTU]: ['9000', '1280'],
    }),
  }),
);

const adopting = fc.boolean().map((internal) => ({
  driver: 'bridge',
  internal,
  options: { [`${B}.name`]: THEIRS.name },
}));

const families = { internal: fc.boolean(), ipv6: fc.boolean() };

const macvlan = fc.record({
  driver: fc.constant('macvlan'),
  ...families,
  options: some({
    parent: [PARENTS.macvlan, `${PARENTS.macvlan}.50`, `${PARENTS.macvlan}.51`],
    macvlan_mode: ['bridge', 'private', 'vepa', 'passthru'],
  }),
});

const ipvlan = fc.record({
  driver: fc.constant('ipvlan'),
  ...families,
  options: some({
    parent: [PARENTS.ipvlan, `${PARENTS.ipvlan}.70`],
    ipvlan_mode: ['l2', 'l3', 'l3s'],
    ipvlan_flag: ['bridge', 'private', 'vepa'],
  }),
});

const ovs = fc.record({
  driver: fc.constant('ovs'),
  ...families,
  options: some({
    bridge: ['sw0', 'sw1'],
    vlan: ['10', '20'],
    icc: FLAG,
    masquerade: FLAG,
    gateway_mode: ['nat', 'routed', 'none'],
    datapath: ['system', 'netdev'],
    uplink: [PARENTS.uplink],
    ingress_rate: ['1000'],
    egress_rate: ['2000'],
  }),
});

/** A plugin's, with addresses of ours: it leads nowhere, so its containers get a gateway endpoint. */
const plugin = fc.constant({ driver: 'plug' });
const small = fc.constant({ driver: 'bridge', subnet: '10.9.0.0/29' });

const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 5, arbitrary: bridge },
  { weight: 1, arbitrary: small },
  { weight: 1, arbitrary: adopting },
  { weight: 2, arbitrary: macvlan },
  { weight: 2, arbitrary: ipvlan },
  { weight: 3, arbitrary: ovs },
  { weight: 1, arbitrary: plugin },
);

export const create =
  (name: string, { subnet, ...asked }: Wish): Command =>
  ({ view }, fresh) => {
    const config = subnet === undefined ? [] : [{ subnet }];
    const request = { ...aRequest(name), ipam: { driver: '', options: null, config }, ...asked };
    return decideCreation(view, design(view, naming(view, fresh, request), { scope: 'local' }));
  };

const remove =
  (name: string): Command =>
  ({ view }) =>
    decideRemoval(view, view.model.getNetwork(name));

const containerOf = ({ model }: DecidingWorld, n: number): Container => model.getContainer(nth(n));

export interface Run {
  readonly networks: readonly string[];
  readonly ports: Container['hostConfig']['PortBindings'];
  readonly links?: readonly number[];
  readonly privileged?: boolean;
  readonly settings?: Partial<EndpointSettings>;
}

/** The networks of `--network host` and `none` stand alone. */
const modeOf = (networks: readonly string[]): string =>
  networks.find((name) => name === 'host' || name === 'none') ?? 'default';

export const start =
  (n: number, { networks, ports, links = [], privileged = false, settings = {} }: Run): Command =>
  (world, fresh) => {
    const container = containerOf(world, n);
    if (container.sandboxId !== null) throw conflict('it runs');
    return decideStart(world.view, fresh, {
      ...container,
      state: { ...container.state, status: 'running', pid: 1 },
      hostConfig: {
        ...container.hostConfig,
        NetworkMode: modeOf(networks),
        PortBindings: ports,
        Privileged: privileged,
      },
      links: links.map((target) => ({ target: nth(target), name: `c${target}`, alias: `db${target}` })),
      networks: networks.map((name) => ({
        networkId: '',
        name,
        settings: { ...NO_SETTINGS, ...settings },
      })),
    });
  };

/** In the network namespace of another. */
const join =
  (n: number, owner: number): Command =>
  (world, fresh) => {
    const container = containerOf(world, n);
    if (container.sandboxId !== null || n === owner) throw conflict('it runs');
    const hostConfig = { ...container.hostConfig, NetworkMode: `container:${nth(owner)}` };
    return decideStart(world.view, fresh, { ...container, hostConfig, networks: [] });
  };

export const connect =
  (n: number, name: string, asked: Partial<EndpointSettings> = {}): Command =>
  (world, fresh) => {
    const { view } = world;
    const network = view.model.getNetwork(name);
    const settings = { ...NO_SETTINGS, ...asked };
    const container = connectedTo(view, network, containerOf(world, n), settings);
    const designed = designAttachment(view, fresh, container, network, settings);
    const answered = network.driver === 'plug' && designed && allocateOwn(view, designed);
    const plugin = {
      source: pluginLink(n, name),
      routes: [{ destination: '198.18.0.0/15' }],
      external: false,
    };
    return decideAttachment(view, fresh, container, designed, answered ? { ...answered, plugin } : undefined);
  };

export const disconnect =
  (n: number, name: string): Command =>
  (world, fresh) =>
    decideDetachment(world.view, fresh, world.model.getNetwork(name), containerOf(world, n));

/** What of these containers is on the network serves there, by an address for all. */
const serve =
  (name: string, containers: readonly number[]): Command =>
  ({ view }) => {
    const network = view.model.getNetwork(name);
    const id = balancerId(network.id, 'service');
    const given = (): { readonly vip4?: string; readonly vip6?: string } => {
      const wanted = { network, settings: NO_SETTINGS, ipv4: network.ipv4, ipv6: network.ipv6 };
      const { ipv4, ipv6 } = allocateOwn(view, wanted as Parameters<typeof allocateOwn>[1]); // all that it looks at
      return defined({ vip4: ipv4 && bare(ipv4), vip6: ipv6 && bare(ipv6) });
    };
    const backends = view.model
      .endpointsOfNetwork(network.id)
      .filter(({ containerId }) => containers.some((each) => nth(each) === containerId))
      .map((e) => ({
        id: e.id,
        node: '',
        ...defined({ ipv4: e.ipv4 && bare(e.ipv4), ipv6: e.ipv6 && bare(e.ipv6) }),
      }));
    const { vip4, vip6 } = view.model.tables.balancer.records.get(id) ?? given();
    const told = { id, networkId: network.id, serviceId: 'service', names: ['service'], backends, ports: [] };
    const balancer = { ...told, ...defined({ vip4, vip6 }) };
    return decideFollowing(view, { ...NO_CHANGE, balancers: new Map([[id, balancer]]) });
  };

const withdraw =
  (name: string): Command =>
  ({ view }) => {
    const id = balancerId(view.model.getNetwork(name).id, 'service');
    return decideFollowing(view, { ...NO_CHANGE, balancers: new Map([[id, null]]) });
  };

/** The container as it is before it runs. */
const stop =
  (n: number): Command =>
  (world) => {
    const container = containerOf(world, n);
    const state = { ...container.state, status: 'exited' as const, pid: 0 };
    return decideEnd(world.view, container, { ...container, state });
  };

const PORTS: readonly Run['ports'][] = [
  {},
  { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
  { '80/tcp': [{ HostIp: '', HostPort: '' }] },
  { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8081' }], '53/udp': [{ HostIp: '', HostPort: '8053' }] },
  { '80/tcp': [{ HostIp: '192.0.2.1', HostPort: '8082' }] },
  { '80/tcp': [{ HostIp: '::', HostPort: '8083-8085' }] },
  { '80/tcp': [{ HostIp: '::1', HostPort: '8086' }] },
  // Enough of them in a row to be one element.
  Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`${9000 + i}/tcp`, [{ HostIp: '', HostPort: String(9000 + i) }]]),
  ),
];

const n = fc.constantFrom(...CONTAINERS);
const network = fc.constantFrom(...NETWORKS, 'bridge', GATEWAY_NETWORK);

const settings: fc.Arbitrary<Partial<EndpointSettings>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constantFrom({ ipv4: '10.9.0.3' }, { ipv4: '10.9.0.1' }) },
  { weight: 1, arbitrary: fc.constant({ gwPriority: 7 }) },
  { weight: 1, arbitrary: fc.constant({ linkLocal: ['169.254.9.9', 'fe80::99'] }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<Options>(
        { 'com.docker.network.endpoint.ifname': 'lan0' },
        { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' },
        { 'viaduct.endpoint.forwarding': 'true' },
      )
      .map((driverOptions) => ({ driverOptions })),
  },
);

const run: fc.Arbitrary<Run> = fc.record({
  networks: fc.oneof(
    { weight: 9, arbitrary: fc.uniqueArray(fc.constantFrom(...NETWORKS, 'bridge'), { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constantFrom(['host'], ['none']) },
  ),
  ports: fc.constantFrom(...PORTS),
  links: fc.uniqueArray(n, { maxLength: 1 }),
  privileged: fc.boolean(),
  settings,
});

const rename =
  (n: number): Command =>
  (world, fresh) =>
    decideRename(world.view, containerOf(world, n), `renamed-${fresh.id.slice(-6)}`);

const unlink =
  (n: number): Command =>
  (world) =>
    decideUnlinking(world.view, containerOf(world, n), 'db0');

export const creating = any(create, fc.constantFrom(...NETWORKS), wish);
export const starting = any(start, n, run);

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: creating },
  { weight: 2, arbitrary: any(remove, network) },
  { weight: 6, arbitrary: starting },
  { weight: 1, arbitrary: any(join, n, n) },
  { weight: 7, arbitrary: any(connect, n, network, settings) },
  { weight: 3, arbitrary: any(disconnect, n, network) },
  { weight: 3, arbitrary: any(stop, n) },
  { weight: 4, arbitrary: any(serve, fc.constantFrom(...NETWORKS), fc.subarray([...CONTAINERS])) },
  { weight: 1, arbitrary: any(withdraw, fc.constantFrom(...NETWORKS)) },
  { weight: 1, arbitrary: any(rename, n) },
  { weight: 1, arbitrary: any(unlink, n) },
);

/** What is decided; undefined: refused, in words. */
export const decided = (each: Command, world: DecidingWorld, fresh: Fresh): Decision | undefined => {
  try {
    return each(world, fresh);
  } catch (error) {
    if (error instanceof ViaductError) return undefined;
    throw error;
  }
};

/** Everything that containers and networks have is taken away, one after the other. */
export const allAway = (world: DecidingWorld, carryOut: (each: Command) => void): void => {
  for (const i of CONTAINERS) carryOut(stop(i));
  for (const { id, predefined } of [...world.model.networks.values()]) if (!predefined) carryOut(remove(id));
};

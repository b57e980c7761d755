/**
 * A machine in memory, as the state that Linux keeps: namespaces, interfaces that hang on each other, routes, sets of nftables,
 * switches, sockets. An oracle for plans, so it imports nothing that makes them: what it knows of the kernel is written here anew.
 */
import { constants } from 'node:os';
import { KernelError } from '../../../src/errors.js';
import type { Kernel } from '../../../src/kernel/contract.js';
import { contains, type Prefix, parseAddress, parsePrefix } from '../../../src/model/address.js';

/** What the kernel layer is asked, by its contract's own types. */
export type Plan = Parameters<Kernel['apply']>[0];
export type Step = Plan[number];
export type KernelObject = Step['object'];
export type Of<K extends KernelObject['kind']> = Extract<KernelObject, { kind: K }>;
export type LinkOf<T extends Of<'link'>['type']> = Extract<Of<'link'>, { type: T }>;

/** An interface. Its addresses, neighbours and sysctls are its own: they end with it. */
export interface Interface {
  readonly type: Of<'link'>['type'] | 'wire';
  ns: Namespace;
  name: string;
  mac: string;
  mtu: number;
  up: boolean;
  /** made by us: others' are used, never changed */
  readonly ours: boolean;
  /** the bridge that it is a port of */
  master?: Interface;
  hairpin: boolean;
  isolated: boolean;
  /** the other end of a pair */
  peer?: Interface;
  /** what it lies on */
  lower?: Interface;
  /** of macvlan and ipvlan: `bridge`, `private`…; of an internal one of Open vSwitch: the switch */
  mode: string;
  /** 0: none */
  vlan: number;
  readonly addresses: Set<string>;
  readonly neighbours: Map<string, string>;
  readonly fdb: Set<string>;
  /** of WireGuard, by public key */
  readonly peers: Map<string, string>;
  readonly sysctls: Map<string, string>;
  transmit: boolean;
}

interface Route {
  readonly family: 4 | 6;
  readonly destination: string;
  readonly link: Interface;
  readonly via: string | undefined;
  readonly metric: number;
}

export interface Namespace {
  readonly path: string;
  readonly interfaces: Map<string, Interface>;
  routes: Route[];
  readonly sysctls: Map<string, string>;
}

/** A bridge of Open vSwitch, with its ports by name and its flows by what identifies them. */
export interface Switch {
  made: Of<'ovs-bridge'>;
  readonly ports: Map<string, Of<'ovs-port'>>;
  readonly flows: Map<string, Of<'ovs-flow'>>;
}

export interface World {
  readonly namespaces: Map<string, Namespace>;
  /** by family and name, elements by their keys' texts */
  readonly sets: Map<string, Map<string, Of<'element'>>>;
  readonly switches: Map<string, Switch>;
  readonly ports: Map<string, Of<'hostport'>>;
  readonly resolvers: Map<string, string>;
  /** by namespace */
  readonly services: Map<string, Of<'services'>>;
  /** by namespace */
  readonly waysBack: Map<string, Of<'wayBack'>>;
  /** by protocol and ports */
  readonly flows: Map<string, Of<'flows'>>;
  /** bridges past which shortcuts may lead */
  readonly fastpaths: Set<string>;
  /** by the names of ports */
  readonly shortcuts: Map<string, Of<'shortcut'>>;
}

export const refuse = (errno: keyof typeof constants.errno, what: string): never => {
  throw new KernelError(constants.errno[errno], what, errno);
};

export const newNamespace = (path: string): Namespace => ({
  path,
  interfaces: new Map(),
  routes: [],
  sysctls: new Map(),
});

export const newWorld = (): World => ({
  namespaces: new Map([['host', newNamespace('host')]]),
  sets: new Map(),
  switches: new Map(),
  ports: new Map(),
  resolvers: new Map(),
  services: new Map(),
  waysBack: new Map(),
  flows: new Map(),
  fastpaths: new Set(),
  shortcuts: new Map(),
});

export const namespaceOf = (world: World, path: string): Namespace =>
  world.namespaces.get(path) ?? refuse('ENOENT', `namespace ${path}`);

export const interfaceOf = (world: World, path: string, name: string): Interface =>
  namespaceOf(world, path).interfaces.get(name) ?? refuse('ENODEV', `interface ${path} ${name}`);

export const everyInterface = (world: World): readonly Interface[] =>
  [...world.namespaces.values()].flatMap(({ interfaces }) => [...interfaces.values()]);

/** What a switch has as a port, an internal interface of its own or one that is plugged in. */
export const switchOf = (world: World, link: Interface): Switch | undefined => {
  if (link.ns.path !== 'host') return undefined;
  for (const found of world.switches.values())
    if (link.type === 'ovs' ? found.made.name === link.mode : found.ports.has(link.name)) return found;
  return undefined;
};

const prefixes = new Map<string, Prefix>();
/** A CIDR, or an address as the whole of its own prefix; asked for the same texts again and again. */
export const prefixOf = (text: string): Prefix => {
  const known = prefixes.get(text);
  if (known) return known;
  const address = parseAddress(text);
  const parsed = address ? { ...address, bits: address.family === 4 ? 32 : 128 } : parsePrefix(text);
  const prefix = parsed ?? refuse('EINVAL', `address ${text}`);
  prefixes.set(text, prefix);
  return prefix;
};

export const bare = (address: string): string => address.split('/', 1)[0] ?? '';
export const isIn = (prefix: string, address: string): boolean =>
  contains(prefixOf(prefix), prefixOf(address)) && prefixOf(prefix).family === prefixOf(address).family;
export const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

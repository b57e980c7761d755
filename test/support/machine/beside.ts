/** What is kept beside interfaces: sets of nftables, Open vSwitch, and the sockets that the daemon holds. */
import { isDeepStrictEqual } from 'node:util';
import { ledElements, meshPortElements } from '../../../src/firewall/index.js';
import type { PortChains, SetDeclaration } from '../../../src/firewall/language.js';
import { RULESET, setOf } from '../../../src/firewall/ruleset.js';
import { add, end } from './links.js';
import {
  familyOf,
  type Interface,
  interfaceOf,
  namespaceOf,
  type Of,
  refuse,
  type Switch,
  type World,
} from './world.js';

type Element = Of<'element'>;

/** Maps of interfaces that are kept as chains on them. */
export const PORT_CHAINS: ReadonlyMap<string, PortChains> = new Map(
  RULESET.flatMap(({ family, ports }) => (ports ? [[`${family} ${ports.name}`, ports] as const] : [])),
);

const setName = ({ family, set }: Pick<Element, 'family' | 'set'>): string => `${family} ${set}`;
const keyText = ({ key }: Element): string => key.join(' . ');

const between = (text: string): readonly [number, number] | undefined => {
  const [first, last = first] = text.split('-').map(Number);
  return first === undefined || Number.isNaN(first) ? undefined : [first, last ?? first];
};

/** One field of an interval: a range of ports, or one value. */
const overlaps = (a: string, b: string): boolean => {
  const [one, other] = [between(a), between(b)];
  return one && other ? one[0] <= other[1] && other[0] <= one[1] : a === b;
};

/** An interval set takes no elements that overlap, any set none twice; fields are as many as it was declared with. */
const checkElement = (o: Element, declared: SetDeclaration, there: ReadonlyMap<string, Element>): void => {
  if (o.key.length !== declared.key.length || (o.data?.length ?? 0) !== (declared.data?.length ?? 0))
    refuse('EINVAL', `element of ${o.set}: ${keyText(o)}`);
  const clash = declared.interval
    ? [...there.values()].some(({ key }) => key.every((field, i) => overlaps(field, o.key[i] ?? '')))
    : there.has(keyText(o));
  if (clash) refuse('EEXIST', `element of ${setName(o)}: ${keyText(o)}`);
};

const elementsOf = (world: World, o: Element): Map<string, Element> => {
  const name = setName(o);
  const known = world.sets.get(name) ?? new Map<string, Element>();
  world.sets.set(name, known);
  return known;
};

export const ELEMENT = {
  create: (world: World, o: Element): void => {
    const there = elementsOf(world, o);
    const ports = PORT_CHAINS.get(setName(o));
    if (ports) {
      interfaceOf(world, 'host', o.key[0] ?? '');
      if (there.has(keyText(o))) refuse('EEXIST', `chain ${keyText(o)}`);
    } else checkElement(o, setOf(o.family, o.set) ?? refuse('ENOENT', `set ${setName(o)}`), there);
    there.set(keyText(o), o);
  },
  replace: (world: World, o: Element, before: Element): void => {
    ELEMENT.delete(world, before);
    ELEMENT.create(world, o);
  },
  delete: (world: World, o: Element): void => {
    if (!elementsOf(world, o).delete(keyText(o))) refuse('ENOENT', `element of ${setName(o)}: ${keyText(o)}`);
  },
};

/** To the kernel it is its elements. */
export const MESH_PORT = {
  create: (world: World, o: Of<'meshPort'>): void => {
    for (const element of meshPortElements(o)) ELEMENT.create(world, element);
  },
  replace: (world: World, o: Of<'meshPort'>, before: Of<'meshPort'>): void => {
    MESH_PORT.delete(world, before);
    MESH_PORT.create(world, o);
  },
  delete: (world: World, o: Of<'meshPort'>): void => {
    for (const element of meshPortElements(o)) ELEMENT.delete(world, element);
  },
};

export const PUBLISHED = {
  create: (world: World, o: Of<'published'>): void => {
    for (const element of ledElements(o)) ELEMENT.create(world, element);
  },
  replace: (world: World, o: Of<'published'>, before: Of<'published'>): void => {
    PUBLISHED.delete(world, before);
    PUBLISHED.create(world, o);
  },
  delete: (world: World, o: Of<'published'>): void => {
    for (const element of ledElements(o)) ELEMENT.delete(world, element);
  },
};

const bridgeOf = (world: World, name: string): Switch =>
  world.switches.get(name) ?? refuse('ENOENT', `switch ${name}`);

const internals = (world: World, name: string): readonly Interface[] =>
  [...namespaceOf(world, 'host').interfaces.values()].filter(
    (link) => link.type === 'ovs' && link.mode === name,
  );

export const OVS_BRIDGE = {
  create: (world: World, o: Of<'ovs-bridge'>): void => {
    if (world.switches.has(o.name)) refuse('EEXIST', `switch ${o.name}`);
    add(namespaceOf(world, 'host'), 'ovs', o.name, { mode: o.name, mac: o.mac, mtu: o.mtu || 1500 });
    world.switches.set(o.name, { made: o, ports: new Map(), flows: new Map() });
  },
  replace: (world: World, o: Of<'ovs-bridge'>): void => {
    bridgeOf(world, o.name).made = o;
  },
  delete: (world: World, { name }: Of<'ovs-bridge'>): void => {
    bridgeOf(world, name);
    world.switches.delete(name);
    for (const link of internals(world, name)) end(world, link);
  },
};

const checkPort = (world: World, { name, role }: Of<'ovs-port'>): void => {
  if (role === 'tunnel') return;
  const link = interfaceOf(world, 'host', name);
  if (link.master) refuse('EBUSY', `port ${name}`);
};

export const OVS_PORT = {
  create: (world: World, o: Of<'ovs-port'>): void => {
    const { ports } = bridgeOf(world, o.bridge);
    if ([...world.switches.values()].some((other) => other.ports.has(o.name)))
      refuse('EEXIST', `port ${o.name}`);
    checkPort(world, o);
    ports.set(o.name, o);
  },
  replace: (world: World, o: Of<'ovs-port'>, before: Of<'ovs-port'>): void => {
    if (!bridgeOf(world, before.bridge).ports.delete(o.name)) refuse('ENOENT', `port ${o.name}`);
    checkPort(world, o);
    bridgeOf(world, o.bridge).ports.set(o.name, o);
  },
  delete: (world: World, o: Of<'ovs-port'>): void => {
    if (!bridgeOf(world, o.bridge).ports.delete(o.name)) refuse('ENOENT', `port ${o.name}`);
  },
};

const flowKey = ({ table, priority, match }: Of<'ovs-flow'>): string =>
  `${table} ${priority} ${Object.entries(match).sort().join(' ')}`;

/** A port is named by the number that it has while it is there. */
const checkFlow = ({ ports }: Switch, { match }: Of<'ovs-flow'>): void => {
  if (match.in_port !== undefined && !ports.has(match.in_port)) refuse('ENOENT', `port ${match.in_port}`);
};

export const OVS_FLOW = {
  create: (world: World, o: Of<'ovs-flow'>): void => {
    const bridge = bridgeOf(world, o.bridge);
    checkFlow(bridge, o);
    if (bridge.flows.has(flowKey(o))) refuse('EEXIST', `flow ${flowKey(o)}`);
    bridge.flows.set(flowKey(o), o);
  },
  replace: (world: World, o: Of<'ovs-flow'>): void => {
    const bridge = bridgeOf(world, o.bridge);
    checkFlow(bridge, o);
    if (!bridge.flows.has(flowKey(o))) refuse('ENOENT', `flow ${flowKey(o)}`);
    bridge.flows.set(flowKey(o), o);
  },
  delete: (world: World, o: Of<'ovs-flow'>): void => {
    if (!bridgeOf(world, o.bridge).flows.delete(flowKey(o))) refuse('ENOENT', `flow ${flowKey(o)}`);
  },
};

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';
const portText = (o: Of<'hostport'>): string => `${o.protocol} ${o.address} ${o.port}+${o.count}`;

const numbers = (o: Of<'hostport'>): readonly number[] =>
  o.scattered?.map((pair) => pair >>> 16) ?? Array.from({ length: o.count }, (_, at) => o.port + at);

/** Of one family, as the daemon's sockets are of theirs alone. */
const collide = (a: Of<'hostport'>, b: Of<'hostport'>): boolean =>
  a.protocol === b.protocol &&
  a.address.includes(':') === b.address.includes(':') &&
  (a.address === b.address || isWildcard(a.address) || isWildcard(b.address)) &&
  numbers(a).some((port) => numbers(b).includes(port));

export const HOSTPORT = {
  create: (world: World, o: Of<'hostport'>): void => {
    if ([...world.ports.values()].some((other) => collide(o, other))) refuse('EADDRINUSE', portText(o));
    world.ports.set(portText(o), o);
  },
  replace: (world: World, o: Of<'hostport'>, before: Of<'hostport'>): void => {
    HOSTPORT.delete(world, before);
    HOSTPORT.create(world, o);
  },
  delete: (world: World, o: Of<'hostport'>): void => {
    if (!world.ports.delete(portText(o))) refuse('ENOENT', portText(o));
  },
};

export const RESOLVER = {
  create: (world: World, o: Of<'resolver'>): void => {
    namespaceOf(world, o.ns);
    if (world.resolvers.has(o.ns)) refuse('EADDRINUSE', `resolver in ${o.ns}`);
    world.resolvers.set(o.ns, o.sandboxId);
  },
  replace: (world: World, o: Of<'resolver'>): void => void world.resolvers.set(o.ns, o.sandboxId),
  delete: (world: World, { ns }: Of<'resolver'>): void => {
    if (!world.resolvers.delete(ns)) refuse('ENOENT', `resolver in ${ns}`);
  },
};

type Services = Of<'services'>;

/** A table of a namespace, with what leads where in it. */
const checkServices = (world: World, { ns, services }: Services): void => {
  namespaceOf(world, ns);
  const addresses = services.map(({ address }) => address);
  if (new Set(addresses).size < addresses.length) refuse('EEXIST', `address of a service in ${ns}`);
  for (const { address, backends } of services)
    for (const backend of backends) if (familyOf(backend) !== familyOf(address)) refuse('EINVAL', backend);
};

export const SERVICES = {
  create: (world: World, o: Services): void => {
    checkServices(world, o);
    if (world.services.has(o.ns)) refuse('EEXIST', `services in ${o.ns}`);
    world.services.set(o.ns, o);
  },
  replace: (world: World, o: Services, before: Services): void => {
    checkServices(world, o);
    if (!isDeepStrictEqual(world.services.get(o.ns), before))
      refuse('ENOENT', `services in ${o.ns} as they were`);
    world.services.set(o.ns, o);
  },
  delete: (world: World, { ns }: Services): void => {
    if (!world.services.delete(ns)) refuse('ENOENT', `services in ${ns}`);
  },
};

/** Whatever was there is made anew. */
export const WAY_BACK = {
  create: (world: World, o: Of<'wayBack'>): void => {
    interfaceOf(world, o.ns, o.link);
    world.waysBack.set(o.ns, o);
  },
  replace: (world: World, o: Of<'wayBack'>): void => WAY_BACK.create(world, o),
  delete: (world: World, { ns }: Of<'wayBack'>): void => {
    if (!world.waysBack.delete(ns)) refuse('ENOENT', `way back in ${ns}`);
  },
};

export const FASTPATH = {
  create: ({ fastpaths }: World, { bridge }: Of<'fastpath'>): void => void fastpaths.add(bridge),
  replace: (): void => {},
  delete: ({ fastpaths }: World, { bridge }: Of<'fastpath'>): void => {
    if (!fastpaths.delete(bridge)) refuse('ENOENT', `fastpath ${bridge}`);
  },
};

export const SHORTCUT = {
  create: (world: World, o: Of<'shortcut'>): void => {
    interfaceOf(world, 'host', o.link);
    interfaceOf(world, 'host', o.bridge);
    if (!world.fastpaths.has(o.bridge)) refuse('ENOENT', `fastpath ${o.bridge}`);
    world.shortcuts.set(o.link, o);
  },
  replace: (world: World, o: Of<'shortcut'>): void => SHORTCUT.create(world, o),
  /** Of a port that is gone something would be left behind. */
  delete: (world: World, { link }: Of<'shortcut'>): void => {
    interfaceOf(world, 'host', link);
    if (!world.shortcuts.delete(link)) refuse('ENOENT', `shortcut ${link}`);
  },
};

const flowsText = ({ protocol, port, count }: Of<'flows'>): string => `${protocol} ${port}+${count}`;

export const FLOWS = {
  create: (world: World, o: Of<'flows'>): void => {
    if (world.flows.has(flowsText(o))) refuse('EEXIST', flowsText(o));
    world.flows.set(flowsText(o), o);
  },
  replace: (world: World, o: Of<'flows'>): void => void world.flows.set(flowsText(o), o),
  delete: (world: World, o: Of<'flows'>): void => {
    if (!world.flows.delete(flowsText(o))) refuse('ENOENT', flowsText(o));
  },
};

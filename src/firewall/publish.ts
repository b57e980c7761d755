/**
 * Published ports as elements. A short run becomes one hash element a port (10 µs each, constant lookup), a long run with
 * equal ports on both sides one interval element whose data is an address alone, so the kernel keeps the port; a long run
 * with shifted ports stays single elements in one batch. Invariant: an address is never in a hash map and an interval map.
 */
import { isIPv4 } from 'node:net';
import type { PortBinding, Protocol } from '../model/port.js';
import type { ElementObject, HostPortObject } from '../plan/objects.js';
import type { FirewallEndpoint, FirewallFamily, FirewallNetwork } from './contract.js';
import { inet, inetMap } from './elements.js';

/** From this many ports on a run is one interval element: it costs as much as about 100 hash elements, whatever its length. */
const RANGE_FROM = 16;

const ANY = { 4: '0.0.0.0', 6: '::' } as const;

const portRange = (first: number, count: number): string =>
  count === 1 ? String(first) : `${first}-${first + count - 1}`;

const run = <T>(count: number, each: (offset: number) => T): T[] =>
  Array.from({ length: count }, (_, offset) => each(offset));

/** Set and key of a published place: one address of the host, or every one of the family. */
const placeOf = (
  kind: 'publish' | 'held' | 'relay',
  hostIp: string,
  ports: readonly string[],
  range: boolean,
) => {
  const family = isIPv4(hostIp) ? 4 : 6;
  const any = hostIp === ANY[family];
  const [bare = ''] = hostIp.split('%', 1);
  return {
    set: `${kind}${any ? '_any' : ''}${range ? '_range' : ''}${family}`,
    key: any ? ports : [bare, ...ports],
  };
};

const dnatElements = (binding: PortBinding, address: string): ElementObject[] => {
  const { protocol, hostIp, hostPort, containerPort, count } = binding;
  if (count >= RANGE_FROM && hostPort === containerPort) {
    const { set, key } = placeOf('publish', hostIp, [protocol, portRange(hostPort, count)], true);
    return [inetMap(set, key, [address])];
  }
  return run(count, (offset) => {
    const { set, key } = placeOf('publish', hostIp, [protocol, String(hostPort + offset)], false);
    return inetMap(set, key, [address, String(containerPort + offset)]);
  });
};

const PUBLISHED = /^publish(_any)?(?:_range)?([46])$/;

/** The other way round: the host's ports that places are published at. */
export const portsTaken = (elements: readonly ElementObject[]): HostPortObject[] =>
  elements.flatMap(({ set, key, data }) => {
    const [, any, family] = PUBLISHED.exec(set) ?? [];
    if (!data || family === undefined) return [];
    const [address = '', protocol = '', ports = ''] = any ? [ANY[family === '4' ? 4 : 6], ...key] : key;
    const [first = 0, last = first] = ports.split('-').map(Number);
    const target = { address: data[0] ?? '', port: Number(data[1] ?? first) };
    const count = last - first + 1;
    return [{ kind: 'hostport', protocol: protocol as Protocol, address, port: first, count, target }]; // `placeOf` wrote it
  });

/** TCP ports of the binding in the sets `held…` or `relay…`; UDP needs none, as answers are sent from the held socket. */
const tcpElements = (
  kind: 'held' | 'relay',
  { protocol, hostIp, hostPort, count }: PortBinding,
): ElementObject[] => {
  if (protocol !== 'tcp') return [];
  const range = count >= RANGE_FROM;
  const ports = range ? [portRange(hostPort, count)] : run(count, (offset) => String(hostPort + offset));
  return ports.map((port) => {
    const { set, key } = placeOf(kind, hostIp, [protocol, port], range);
    return inet(set, ...key);
  });
};

/** Container ports that others may reach by the container's own address, in a network with gateway mode routed. */
const routedElements = (
  { protocol, containerPort, count }: PortBinding,
  address: string,
): ElementObject[] => {
  const family = isIPv4(address) ? 4 : 6;
  if (count >= RANGE_FROM)
    return [inet(`routed_range${family}`, address, protocol, portRange(containerPort, count))];
  return run(count, (offset) => inet(`routed${family}`, address, protocol, String(containerPort + offset)));
};

const familyOf = (network: FirewallNetwork, number: 4 | 6): FirewallFamily | undefined =>
  network.families.find((f) => f.family === number);

/** `fe80::/10`, with or without a zone */
const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/i.test(address);

/** One of the container's addresses that a host routes to; link-local ones are not. */
const addressOf = (endpoint: FirewallEndpoint, family: 4 | 6): string | undefined =>
  endpoint.addresses.find((a) => isIPv4(a) === (family === 4) && !isLinkLocal(a));

/**
 * What NAT cannot carry goes to the daemon's relay: ::1 never leaves the loopback interface (the kernel refuses it),
 * link-local addresses no wire, and neither turns one family into the other.
 */
const bindingElements = (endpoint: FirewallEndpoint, binding: PortBinding): ElementObject[] => {
  const { hostIp } = binding;
  const family = isIPv4(hostIp.split('%', 1)[0] ?? '') ? 4 : 6;
  const address = addressOf(endpoint, family);
  if (familyOf(endpoint.network, family)?.mode === 'routed')
    return address ? routedElements(binding, address) : [];
  if (!address || hostIp === '::1' || isLinkLocal(hostIp)) return tcpElements('relay', binding);
  return [...dnatElements(binding, address), ...tcpElements('held', binding)];
};

/** Two bindings may name one container port; a set has each element once. */
const once = (elements: readonly ElementObject[]): ElementObject[] => [
  ...new Map(elements.map((e) => [`${e.set} ${e.key.join(' ')}`, e])).values(),
];

export const publishElements = (endpoint: FirewallEndpoint): ElementObject[] =>
  endpoint.network.internal
    ? []
    : once(endpoint.bindings.flatMap((binding) => bindingElements(endpoint, binding)));

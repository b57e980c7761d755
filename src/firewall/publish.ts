/**
 * Published ports as elements. A short run becomes one hash element a port (10 µs each, constant lookup), a long run with
 * equal ports on both sides one interval element whose data is an address alone, so the kernel keeps the port; a long run
 * with shifted ports stays single elements in one batch. Invariant: an address is never in a hash map and an interval map.
 */
import { isIPv4 } from 'node:net';
import type { PortBinding } from '../model/port.js';
import type { ElementObject } from '../plan/objects.js';
import type { FirewallEndpoint, FirewallFamily, FirewallNetwork } from './contract.js';
import { inet, inetMap } from './elements.js';

/** From this many ports on a run is one interval element: it costs as much as about 100 hash elements, whatever its length. */
export const RANGE_FROM = 16;

const ANY = { 4: '0.0.0.0', 6: '::' } as const;
const EVERYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const;

const portRange = (first: number, count: number): string =>
  count === 1 ? String(first) : `${first}-${first + count - 1}`;

const run = <T>(count: number, each: (offset: number) => T): T[] =>
  Array.from({ length: count }, (_, offset) => each(offset));

/** Destination address of an interval key. */
const reach = (hostIp: string, family: 4 | 6): string =>
  hostIp === ANY[family] ? EVERYWHERE[family] : hostIp;

const dnatElements = (binding: PortBinding, address: string): ElementObject[] => {
  const { protocol, hostIp, hostPort, containerPort, count } = binding;
  const family = isIPv4(address) ? 4 : 6;
  if (count >= RANGE_FROM && hostPort === containerPort)
    return [
      inetMap(
        `publish_range${family}`,
        [reach(hostIp, family), protocol, portRange(hostPort, count)],
        [address],
      ),
    ];
  const any = hostIp === ANY[family];
  return run(count, (offset) => {
    const key = [protocol, String(hostPort + offset)];
    const data = [address, String(containerPort + offset)];
    return any
      ? inetMap(`publish_any${family}`, key, data)
      : inetMap(`publish${family}`, [hostIp, ...key], data);
  });
};

/** IPv6 that NAT cannot carry goes to the daemon's relay; only TCP, as UDP answers are sent from the held socket. */
const relayElementsOf = ({ protocol, hostPort, count }: PortBinding, hostIp: string): ElementObject[] => {
  if (protocol !== 'tcp') return [];
  if (count >= RANGE_FROM)
    return [inet('relay_range', reach(hostIp, 6), protocol, portRange(hostPort, count))];
  return run(count, (offset) => {
    const port = String(hostPort + offset);
    return hostIp === ANY[6] ? inet('relay_any', protocol, port) : inet('relay', hostIp, protocol, port);
  });
};

/** ::1 never leaves the loopback interface (the kernel refuses it), so NAT cannot carry it to any container. */
const publish6 = (binding: PortBinding, address: string | undefined): ElementObject[] => {
  if (!address || binding.hostIp === '::1') return relayElementsOf(binding, binding.hostIp);
  const loopback = binding.hostIp === ANY[6] ? relayElementsOf(binding, '::1') : [];
  return [...dnatElements(binding, address), ...loopback];
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

const bindingElements = (endpoint: FirewallEndpoint, binding: PortBinding): ElementObject[] => {
  const family = isIPv4(binding.hostIp) ? 4 : 6;
  const mode = familyOf(endpoint.network, family)?.mode;
  const address = endpoint.addresses.find((a) => isIPv4(a) === (family === 4) && !a.startsWith('fe80:'));
  if (mode === 'routed') return address ? routedElements(binding, address) : [];
  if (family === 6) return publish6(binding, address);
  return address ? dnatElements(binding, address) : [];
};

/** Two bindings may name one container port; a set has each element once. */
const once = (elements: readonly ElementObject[]): ElementObject[] => [
  ...new Map(elements.map((e) => [`${e.set} ${e.key.join(' ')}`, e])).values(),
];

export const publishElements = (endpoint: FirewallEndpoint): ElementObject[] =>
  endpoint.network.internal
    ? []
    : once(endpoint.bindings.flatMap((binding) => bindingElements(endpoint, binding)));

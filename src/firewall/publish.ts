/**
 * Published ports as elements of nftables sets and maps. A map of numbers that shift has one hash element a port (10
 * µs each, constant lookup); a long run with equal numbers on both sides is one interval element whose data is an
 * address alone, so the kernel keeps the port. Sets that only name ports join whatever lies side by side, so a run
 * costs them nothing, in what order or with what shift it was asked for. Many hash elements of one place are one object.
 * Invariant: a port is never in a hash set and in its interval set.
 */
import { isIPv4 } from 'node:net';
import type { PortBinding, Protocol } from '../model/port.js';
import { groupBy } from '../plan/group.js';
import type { ElementObject, HostPortObject } from '../plan/objects.js';
import type { FirewallEndpoint, FirewallFamily, FirewallNetwork } from './contract.js';
import { inet, inetMap } from './elements.js';
import { gathered, type Led, ledElements, pairsOf } from './published.js';

/** From this many ports on a run is one interval element: it costs as much as about 100 hash elements, whatever its length. */
const RANGE_FROM = 16;

const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** An address of the host, or every one of its family, as sets name it: `publish6` by address, `publish_any6` without. */
interface Place {
  readonly family: 4 | 6;
  readonly any: '' | '_any';
  readonly address: readonly string[];
}

const placeOf = (hostIp: string): Place => {
  const [bare = ''] = hostIp.split('%', 1);
  const family = isIPv4(bare) ? 4 : 6;
  return hostIp === ANY[family] ? { family, any: '_any', address: [] } : { family, any: '', address: [bare] };
};

/** `first … first+count-1` */
interface Run {
  readonly first: number;
  readonly count: number;
}

/** The same ports as the fewest runs, in order: what overlaps or lies side by side is joined. */
const joined = (runs: readonly Run[]): readonly Run[] => {
  const found: { first: number; count: number }[] = [];
  for (const { first, count } of [...runs].sort((a, b) => a.first - b.first)) {
    const last = found.at(-1);
    if (last && first <= last.first + last.count)
      last.count = Math.max(last.count, first + count - last.first);
    else found.push({ first, count });
  }
  return found;
};

/** Ports of one place in the sets `kind…` that only name them. */
const named = (
  kind: 'held' | 'relay' | 'routed',
  { family, any, address }: Place,
  protocol: Protocol,
  runs: readonly Run[],
): ElementObject[] => {
  const single = `${kind}${any}${family}`;
  const range = `${kind}${any}_range${family}`;
  return joined(runs).flatMap(({ first, count }) =>
    count >= RANGE_FROM
      ? [inet(range, ...address, protocol, `${first}-${first + count - 1}`)]
      : Array.from({ length: count }, (_, i) => inet(single, ...address, protocol, String(first + i))),
  );
};

/** Where NAT leads the ports of one place; `to`: the container's address. */
const dnatElements = (
  { family, any, address }: Place,
  bindings: readonly PortBinding[],
  to: string,
): Led[] => {
  const single = `publish${any}${family}`;
  const range = `publish${any}_range${family}`;
  const isRun = ({ count, hostPort, containerPort }: PortBinding): boolean =>
    count >= RANGE_FROM && hostPort === containerPort;
  const singles = groupBy(
    bindings.filter((each) => !isRun(each)),
    ({ protocol }) => protocol,
  );
  return [
    ...bindings
      .filter(isRun)
      .map(({ protocol, hostPort, count }) =>
        inetMap(range, [...address, protocol, `${hostPort}-${hostPort + count - 1}`], [to]),
      ),
    ...[...singles].flatMap(([protocol, group]) =>
      gathered({ set: single, protocol, ...(any ? {} : { address: address[0] ?? '' }), to }, pairsOf(group)),
    ),
  ];
};

const PUBLISHED = /^publish(_any)?(?:_range)?([46])$/;

/** The other way round: the host's ports that places are published at. */
export const portsTaken = (led: readonly Led[]): HostPortObject[] =>
  led.flatMap(ledElements).flatMap(({ set, key, data }) => {
    const [, any, family] = PUBLISHED.exec(set) ?? [];
    if (!data || family === undefined) return [];
    const [address = '', protocol = '', ports = ''] = any ? [ANY[family === '4' ? 4 : 6], ...key] : key;
    const [first = 0, last = first] = ports.split('-').map(Number);
    const target = { address: data[0] ?? '', port: Number(data[1] ?? first) };
    const count = last - first + 1;
    return [{ kind: 'hostport', protocol: protocol as Protocol, address, port: first, count, target }]; // `dnatElements` wrote it
  });

/** In `held…` or `relay…`; UDP needs none, as answers are sent from the held socket. */
const tcpElements = (
  kind: 'held' | 'relay',
  place: Place,
  bindings: readonly PortBinding[],
): ElementObject[] => {
  const tcp = bindings.filter(({ protocol }) => protocol === 'tcp');
  const runs = tcp.map(({ hostPort, count }) => ({ first: hostPort, count }));
  return named(kind, place, 'tcp', runs);
};

/** Of ports that are led elsewhere than by a container's own elements. */
export const heldElements = (kind: 'held' | 'relay', binding: PortBinding): ElementObject[] =>
  tcpElements(kind, placeOf(binding.hostIp), [binding]);

/** Container ports that others may reach by the container's own address, in a network with gateway mode routed. */
const routedElements = (place: Place, bindings: readonly PortBinding[]): ElementObject[] =>
  [...groupBy(bindings, ({ protocol }) => protocol)].flatMap(([protocol, group]) =>
    named(
      'routed',
      place,
      protocol,
      group.map(({ containerPort, count }) => ({ first: containerPort, count })),
    ),
  );

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
const hostElements = (
  endpoint: FirewallEndpoint,
  hostIp: string,
  bindings: readonly PortBinding[],
): Led[] => {
  const place = placeOf(hostIp);
  const address = addressOf(endpoint, place.family);
  if (!address || hostIp === '::1' || isLinkLocal(hostIp)) return tcpElements('relay', place, bindings);
  return [...dnatElements(place, bindings, address), ...tcpElements('held', place, bindings)];
};

const familyElements = (
  endpoint: FirewallEndpoint,
  family: 4 | 6,
  bindings: readonly PortBinding[],
): Led[] => {
  if (familyOf(endpoint.network, family)?.mode !== 'routed')
    return [...groupBy(bindings, ({ hostIp }) => hostIp)].flatMap(([hostIp, group]) =>
      hostElements(endpoint, hostIp, group),
    );
  const address = addressOf(endpoint, family);
  return address ? routedElements({ family, any: '', address: [address] }, bindings) : [];
};

export const publishElements = (endpoint: FirewallEndpoint): Led[] =>
  endpoint.network.internal
    ? []
    : ([4, 6] as const).flatMap((family) =>
        familyElements(
          endpoint,
          family,
          endpoint.bindings.filter(({ hostIp }) => hostIp.includes(':') === (family === 6)),
        ),
      );

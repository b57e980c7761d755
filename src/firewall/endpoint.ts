/** Elements of one endpoint: what its bridge port may send, what is published or routed to it, what it may reach by links. */
import { isIPv4, isIPv6 } from 'node:net';
import type { LinkedPort } from '../model/endpoint.js';
import type { ElementObject } from '../plan/objects.js';
import type { FirewallEndpoint } from './contract.js';
import { bridge, inet, netdev, netdevPort } from './elements.js';
import { NO_VALUE } from './language.js';
import { publishElements } from './publish.js';
import type { Led } from './published.js';
import { NODE_MAC_BYTES } from './way-back.js';

/**
 * The link-local address that Linux gives an interface with this MAC (modified EUI-64, RFC 4291 appendix A), in
 * canonical text (RFC 5952). Its middle is always `ff:fe`, so the longest run of zeros is the one behind `fe80`.
 */
export const linkLocalOf = (mac: string): string => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  const leading = groups[0] === 0 ? groups.slice(1) : groups;
  return `fe80::${leading.map((group) => group.toString(16)).join(':')}`;
};

/** Anti-spoofing: MAC and addresses are bound to the port (RELIABILITY.md, safety 6). */
const guardElements = (endpoint: FirewallEndpoint): ElementObject[] => {
  const {
    hostIfname: port,
    mac,
    addresses,
    network,
    forwards,
    answersFor = [],
    carried = [],
    isolated,
  } = endpoint;
  const linkLocal = network.families.some((f) => f.family === 6) ? [linkLocalOf(mac)] : [];
  const own = [...addresses, ...linkLocal, ...answersFor];
  const first = [isIPv4, isIPv6].map((ofFamily) => addresses.find(ofFamily) ?? NO_VALUE);
  return [
    netdev('macs', port, mac),
    ...(network.icc || isolated ? [] : [bridge('icc_off', port)]),
    ...[...new Set(own)].map((a) => netdev(isIPv4(a) ? 'senders4' : 'senders6', port, mac, a)),
    ...carried.map((a) => netdev(a.includes(':') ? 'carried6' : 'carried4', port, mac, a)),
    netdevPort('guards', port, [
      ...[forwards ? 'guard_router' : 'guard', mac, ...first],
      ...(network.mesh === undefined ? [] : [NODE_MAC_BYTES]),
    ]),
  ];
};

const linkElements = ({ addresses, linkedTo }: FirewallEndpoint): ElementObject[] =>
  linkedTo.flatMap(({ address, protocol, port }: LinkedPort) => {
    const set = isIPv4(address) ? 'links4' : 'links6';
    return addresses
      .filter((own) => isIPv4(own) === isIPv4(address))
      .flatMap((own) => [inet, bridge].map((element) => element(set, own, address, protocol, String(port))));
  });

/** Slice `endpoint/<id>`. */
export const endpointElements = (endpoint: FirewallEndpoint): Led[] => {
  const links = endpoint.network.icc ? [] : linkElements(endpoint);
  return [...guardElements(endpoint), ...publishElements(endpoint), ...links];
};

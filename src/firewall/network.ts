/**
 * Elements of one bridge-like network. Invariant: a bridge is closed for every family and direction that is not opened
 * here; a family the network does not have stays closed.
 */
import type { Family } from '../model/network.js';
import type { ElementObject } from '../plan/objects.js';
import type { FirewallFamily, FirewallNetwork, GatewayMode } from './contract.js';
import { inet, inetMap, netdev, netdevPort } from './elements.js';
import { NO_VALUE } from './language.js';

const NFPROTO: Record<Family, string> = { 4: 'ipv4', 6: 'ipv6' };

/** What the bridge of a network that the host is no part of hands up to it: no packet of other interfaces pays for that. */
const deafElement = (bridge: string): ElementObject =>
  netdevPort('guards', bridge, ['deaf', NO_VALUE, NO_VALUE, NO_VALUE]);

/** A node of the cluster, by its MAC on the ingress network. */
const nodeElement = (mac: string): ElementObject => netdev('nodes', mac);

/** Another one than this. */
export const otherNodeElements = (bridge: string, mac: string): readonly ElementObject[] => [
  nodeElement(mac),
  inet('mesh_nodes', bridge, mac),
];

/** The set of bridges with whose chain what is forwarded into them is judged; none: it is closed both ways. */
const OPEN: Readonly<Record<GatewayMode, string | undefined>> = {
  nat: 'nat_bridges',
  routed: 'routed_bridges',
  'nat-unprotected': 'open_bridges',
  isolated: undefined,
};

const translates = ({ mode, masquerade }: FirewallFamily): boolean =>
  masquerade && (mode === 'nat' || mode === 'nat-unprotected');

const sourceNat = ({ bridge: name }: FirewallNetwork, { family, snat }: FirewallFamily): ElementObject[] =>
  snat
    ? [inetMap(`snat${family}`, [name], [snat]), inet('fixed_source', NFPROTO[family], name)]
    : [inet('masqueraded', NFPROTO[family], name)];

/** What the network's containers leave with instead of the address of the interface that leads out. */
export const fixedSources = ({ internal, families }: FirewallNetwork): readonly string[] =>
  internal ? [] : families.filter(translates).flatMap(({ snat }) => snat ?? []);

/** Nothing of a deaf one gets so far, so it needs no look at flows under way. */
const fromInternal = (
  key: readonly string[],
  isolated: boolean,
  { deaf }: FirewallNetwork,
): ElementObject[] => {
  if (!isolated) return [inetMap('from', key, ['goto from_internal'])];
  return [inetMap('from', key, ['goto from_isolated']), ...(deaf ? [] : [inet('isolated', ...key)])];
};

const familyElements = (network: FirewallNetwork, number: Family): ElementObject[] => {
  const { bridge: name, internal } = network;
  const family = network.families.find((f) => f.family === number);
  const key = [NFPROTO[number], name];
  const found = [inet((!internal && family && OPEN[family.mode]) || 'out_of', ...key)];
  if (!network.deaf && (internal || family?.mode === 'isolated')) found.push(inet('closed', ...key));
  if (internal) found.push(...fromInternal(key, family?.mode === 'isolated', network));
  else if (family && translates(family)) found.push(...sourceNat(network, family));
  if (family?.gateway !== undefined) found.push(inet(`gateways${number}`, family.gateway));
  return found;
};

/** Slice `network/<id>`: must be there before the bridge comes up, or a moment is open. */
export const networkElements = (network: FirewallNetwork): ElementObject[] => {
  const { bridge: name, foreign, icc, deaf, mesh, trusted = [] } = network;
  const found = [
    inet('bridges', name),
    ...(foreign ? [inet('foreign_bridges', name)] : []),
    inet('same_bridge', name, name),
    ...(deaf ? [deafElement(name)] : []),
    ...(mesh === undefined ? [] : [inetMap('mesh_bridges', [name], [mesh]), nodeElement(mesh)]),
  ];
  for (const incoming of icc ? [name, ...trusted] : trusted) found.push(inet('direct', incoming, name));
  return [...found, ...familyElements(network, 4), ...familyElements(network, 6)];
};

/**
 * A port of Open vSwitch's userspace datapath. Its process taps the interface and the host's own stack would get every
 * frame as well: route it past the switch, answer for it.
 */
export const switchedElement = (port: string): ElementObject => ({ ...inet('switched', port), guard: true });

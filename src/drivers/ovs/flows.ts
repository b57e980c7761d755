/**
 * What a container's port may send, how much, and to whom, as OpenFlow rules. Pure. A packet's way:
 *
 *   table 0    from a container's port: its own MAC and addresses only (the Linux bridge's guard, in OpenFlow)
 *   table 201  over the rate: dropped
 *   table 202  the sender's access list
 *   table 203  the receiver's access list; then NORMAL, the learning switch with its VLANs
 *
 * Tables of ours are numbered high, out of the way of a user's own rules on a bridge of the user's.
 */
import { linkLocalOf } from '../../firewall/index.js';
import { bare, familyOf } from '../../model/address.js';
import { addressesOf, type Endpoint, type Sandbox } from '../../model/endpoint.js';
import type { Family } from '../../model/network.js';
import type { OvsFlowObject } from '../../plan/objects.js';
import { forwards } from '../sender.js';
import type { AclProtocol, AclRule } from './acl.js';
import type { PortOptions } from './options.js';

const TABLE = { guard: 0, rate: 201, sends: 202, receives: 203 } as const;
/** Our cookie's upper 16 bits, "vi"; the rest are the first 12 digits of whose flow it is. */
const COOKIE = '7669';
export const cookieOf = (id: string): string => `${COOKIE}${id.slice(0, 12)}`;

type Match = Readonly<Record<string, string>>;
type Action = OvsFlowObject['action'];

const ETH = { ip: '0x800', arp: '0x806', ipv6: '0x86dd' } as const;
const PROTO = { icmp: '1', tcp: '6', udp: '17', icmpv6: '58' } as const;
/** RFC 4861: router and neighbour discovery; MLDv2 reports */
const ND = {
  routerSolicit: '133',
  routerAdvert: '134',
  solicit: '135',
  advert: '136',
  redirect: '137',
} as const;
const MLD2_REPORT = '143';

const PRIORITY = {
  tagged: 50_000,
  refuse: 49_000,
  own: 48_000,
  ours: 47_000,
  other: 46_000,
  rest: 45_000,
  toUs: 20_000,
} as const;

export interface FlowPort {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
  readonly options: PortOptions;
}

const allAddresses = (endpoint: Endpoint): readonly string[] => {
  const given = [...addressesOf(endpoint), ...endpoint.linkLocal];
  return [...new Set(endpoint.ipv6 === undefined ? given : [...given, linkLocalOf(endpoint.mac)])];
};

type Rule = readonly [priority: number, match: Match, action: Action];

const icmpv6 = (type: string): Match => ({ eth_type: ETH.ipv6, ip_proto: PROTO.icmpv6, icmpv6_type: type });

/** ARP and neighbour discovery say only what is true; a container is no router for its neighbours. */
const discovery = (own: Match, mac: string, addresses: readonly string[], pass: Action): readonly Rule[] => [
  ...addresses.flatMap((a): Rule[] =>
    familyOf(a) === 4
      ? [[PRIORITY.own, { ...own, eth_type: ETH.arp, arp_sha: mac, arp_spa: a }, pass]]
      : [
          [PRIORITY.own, { ...own, ...icmpv6(ND.advert), nd_target: a }, pass],
          // asking whether the own address is free
          [PRIORITY.own, { ...own, ...icmpv6(ND.solicit), ipv6_src: '::', nd_target: a }, pass],
        ],
  ),
  [PRIORITY.own, { ...own, eth_type: ETH.arp, arp_sha: mac, arp_spa: '0.0.0.0' }, pass],
  [PRIORITY.own, { ...own, ...icmpv6(MLD2_REPORT), ipv6_src: '::' }, pass],
  [PRIORITY.own, { ...own, ...icmpv6(ND.routerSolicit), ipv6_src: '::' }, pass],
];

const guard = ({ endpoint, sandbox, options }: FlowPort, pass: Action): readonly Rule[] => {
  const { hostIfname, mac } = endpoint;
  const port = { in_port: hostIfname };
  const own = { ...port, eth_src: mac };
  const addresses = allAddresses(endpoint);
  const routes = forwards(endpoint, sandbox);
  return [
    // What goes on in a trunk's VLANs nobody told us; the MAC is bound there too.
    ...(options.trunks ? [[PRIORITY.tagged, { ...own, vlan_vid: '0x1000/0x1000' }, pass] as const] : []),
    [PRIORITY.refuse, { ...port, ...icmpv6(ND.routerAdvert) }, 'drop'],
    [PRIORITY.refuse, { ...port, ...icmpv6(ND.redirect) }, 'drop'],
    ...discovery(own, mac, addresses, pass),
    [PRIORITY.ours, { ...port, eth_type: ETH.arp }, 'drop'],
    [PRIORITY.ours, { ...port, ...icmpv6(ND.advert) }, 'drop'],
    ...addresses.map((a): Rule => {
      const match = familyOf(a) === 4 ? { eth_type: ETH.ip, ip_src: a } : { eth_type: ETH.ipv6, ipv6_src: a };
      return [PRIORITY.other, { ...own, ...match }, pass];
    }),
    ...(routes ? [] : [ETH.ip, ETH.ipv6]).map(
      (eth_type): Rule => [PRIORITY.rest, { ...port, eth_type }, 'drop'],
    ),
    [PRIORITY.rest - 1, own, pass],
    [PRIORITY.rest - 2, port, 'drop'],
  ];
};

const MASK_BITS = 16;

/** Ports `first`–`last` as the fewest `value/mask` pairs, as OpenFlow matches them. */
export const portMasks = (first: number, last: number): readonly string[] => {
  const out: string[] = [];
  for (let at = first; at <= last; ) {
    let size = 1;
    while (size < 1 << MASK_BITS && at % (size * 2) === 0 && at + size * 2 - 1 <= last) size *= 2;
    const mask = 0xffff & ~(size - 1);
    out.push(size === 1 ? `0x${at.toString(16)}` : `0x${at.toString(16)}/0x${mask.toString(16)}`);
    at += size;
  }
  return out;
};

const protocolMatch = (protocol: AclProtocol, family: Family): Match => {
  if (protocol === 'any') return {};
  if (protocol === 'icmp') return { ip_proto: family === 4 ? PROTO.icmp : PROTO.icmpv6 };
  return { ip_proto: PROTO[protocol] };
};

/** One rule of a list as matches, without whose port it is. */
const matchesOf = ({ direction, protocol, peer, ports }: AclRule): readonly Match[] =>
  ([4, 6] as const)
    .filter((family) => peer === undefined || peer.family === family)
    .flatMap((family) => {
      const side = direction === 'out' ? 'dst' : 'src';
      const field = family === 4 ? `ip_${side}` : `ipv6_${side}`;
      const wide = peer?.cidr.endsWith('/0') ?? true;
      const full = peer?.cidr.endsWith(family === 4 ? '/32' : '/128') ? bare(peer.cidr) : peer?.cidr;
      const base: Match = {
        eth_type: family === 4 ? ETH.ip : ETH.ipv6,
        ...protocolMatch(protocol, family),
        ...(wide || full === undefined ? {} : { [field]: full }),
      };
      if (!ports) return [base];
      return portMasks(ports.first, ports.last).map((port) => ({ ...base, [`${protocol}_dst`]: port }));
    });

const FIRST_RULE = 1_000;

/** A list's rules in order, then what fits none. Without neighbour discovery there would be no IPv6 to judge. */
const list = (rules: readonly AclRule[], whose: Match, allowed: Action): readonly Rule[] => [
  ...[ND.solicit, ND.advert].map((type) => [FIRST_RULE + 1, { ...whose, ...icmpv6(type) }, allowed] as const),
  ...rules.flatMap((rule, i) =>
    matchesOf(rule).map(
      (match): Rule => [FIRST_RULE - i, { ...whose, ...match }, rule.verdict === 'allow' ? allowed : 'drop'],
    ),
  ),
  [1, whose, allowed],
];

const goto = (table: number): Action => `goto_table:${table}`;

/** Everything OpenFlow is to know of one endpoint's port. */
export const endpointFlows = (port: FlowPort): readonly OvsFlowObject[] => {
  const { bridge, endpoint, options } = port;
  const cookie = cookieOf(endpoint.id);
  const [sends, receives] = (['out', 'in'] as const).map((d) => options.acl.filter((r) => r.direction === d));
  const afterRate = goto(sends && sends.length > 0 ? TABLE.sends : TABLE.receives);
  const mine = { in_port: endpoint.hostIfname };
  const toMe = { eth_dst: endpoint.mac };
  const flow =
    (table: number) =>
    ([priority, match, action]: Rule): OvsFlowObject => ({
      kind: 'ovs-flow',
      bridge,
      table,
      priority,
      cookie,
      match,
      action,
    });
  return [
    ...guard(port, options.ingress ? goto(TABLE.rate) : afterRate).map(flow(TABLE.guard)),
    ...(options.ingress ? [{ ...flow(TABLE.rate)([1, mine, afterRate]), meter: options.ingress }] : []),
    ...(sends && sends.length > 0 ? list(sends, mine, goto(TABLE.receives)).map(flow(TABLE.sends)) : []),
    ...(receives && receives.length > 0
      ? [
          // what others than our containers send: the host, an uplink, a tunnel
          flow(TABLE.guard)([PRIORITY.toUs, toMe, goto(TABLE.receives)]),
          ...list(receives, toMe, 'NORMAL').map(flow(TABLE.receives)),
        ]
      : []),
  ];
};

/** What a bridge switches when no rule of an endpoint says otherwise. `closed`: it has no rule of its own for that. */
export const bridgeFlows = (bridge: string, owner: string, closed: boolean): readonly OvsFlowObject[] =>
  [TABLE.receives, ...(closed ? [TABLE.guard] : [])].map((table) => ({
    kind: 'ovs-flow',
    bridge,
    table,
    priority: 0,
    cookie: owner,
    match: {},
    action: 'NORMAL',
  }));

/**
 * Anti-spoofing (safety 6): a container's port may send only with its own MAC and addresses. Judged where the port
 * receives, before the bridge learns a false MAC: on a hook of the port's own, so that frames of nobody else's ports and
 * bridges pay for it. A tag of VLAN 0 is transparent: the inner packet is judged.
 */
import type { Chain, HostTable, SetDeclaration } from './language.js';
import * as s from './statements.js';

/** A day after its last packet a port is forgotten. More ports than a host has. */
const COUNTED = { seconds: 86_400, size: 65_536, counted: true } as const;

/** The sets in which what is dropped is counted by port, each with the reason that a person reads. */
export const DROPPED = {
  dropped_mac: 'another MAC than its own',
  dropped_address: 'another address than its own',
  dropped_router: 'router advertisements or redirects',
  dropped_format: 'frames that are neither plain Ethernet nor ARP for IPv4',
} as const;

const drop = (chain: keyof typeof DROPPED) => s.goTo(chain);
/** Two rules: where the set takes no more, the first one ends, and the frame is dropped all the same. */
const dropChains = Object.entries(DROPPED).map(([name, reason]) =>
  s.chain(name, s.rule('counted by port', s.learn(name, 'iifname')), s.rule(reason, s.drop)),
);

export const v4 = s.match('meta protocol', 'ip');
export const v6 = s.match('meta protocol', 'ip6');
export const arp = s.match('meta protocol', 'arp');
const icmp6 = s.match('meta l4proto', 'ipv6-icmp');
const ownMac = s.inSet('macs', 'iifname', 'ether saddr');
const foreignMac = s.notInSet('macs', 'iifname', 'ether saddr');
const own4 = s.inSet('senders4', 'iifname', 'ether saddr', 'ip saddr');
const own6 = s.inSet('senders6', 'iifname', 'ether saddr', 'ip6 saddr');
const ownTarget = s.inSet('senders6', 'iifname', 'ether saddr', 'icmpv6 taddr');
const foreignTarget = s.notInSet('senders6', 'iifname', 'ether saddr', 'icmpv6 taddr');
const carriedTarget = s.inSet('carried6', 'iifname', 'ether saddr', 'icmpv6 taddr');
const uncarriedTarget = s.notInSet('carried6', 'iifname', 'ether saddr', 'icmpv6 taddr');
export const icmpv6 = (type: string) => [icmp6, s.match('icmpv6 type', type)];

const tagsWithinTags = ['8021q', '8021ad'].map((tag) =>
  s.rule('tags within tags', s.match('meta protocol', tag), drop('dropped_format')),
);

const guardSets: readonly SetDeclaration[] = [
  { name: 'macs', key: ['ifname', 'ether_addr'], comment: 'port . MAC that may be sent' },
  ...([4, 6] as const).map(
    (family): SetDeclaration => ({
      name: `senders${family}`,
      key: ['ifname', 'ether_addr', `ipv${family}_addr`],
      comment: 'port . MAC . address that may be sent',
    }),
  ),
  ...([4, 6] as const).map(
    (family): SetDeclaration => ({
      name: `carried${family}`,
      key: ['ifname', 'ether_addr', `ipv${family}_addr`],
      interval: true,
      comment: 'port . MAC . further addresses that its user allows',
    }),
  ),
  { name: 'nodes', key: ['ether_addr'], comment: 'nodes of the cluster, on its ingress network' },
  ...Object.entries(DROPPED).map(
    ([name, reason]): SetDeclaration => ({
      name,
      key: ['ifname'],
      learned: COUNTED,
      comment: `ports that sent ${reason}`,
    }),
  ),
];

/** Those that others jump to come first. */
const guardChains: readonly Chain[] = [
  ...dropChains,
  s.chain(
    'guard_arp',
    s.rule('another’s MAC', foreignMac, drop('dropped_mac')),
    s.rule('IPv4 over Ethernet', s.match('arp format', '0x000108000604', '!='), drop('dropped_format')),
    s.rule('own address', s.inSet('senders4', 'iifname', 'arp saddr ether', 'arp saddr ip'), s.accept),
    s.rule('further address', s.inSet('carried4', 'iifname', 'arp saddr ether', 'arp saddr ip'), s.accept),
    s.rule(
      'asking whether an address is free',
      s.match('arp saddr ip', '0.0.0.0'),
      s.inSet('macs', 'iifname', 'arp saddr ether'),
      s.accept,
    ),
    s.rule('another’s address', drop('dropped_address')),
  ),
  s.chain(
    'guard_nd',
    s.rule('only the host routes', icmpv6('nd-router-advert'), drop('dropped_router')),
    s.rule('only the host routes', icmpv6('nd-redirect'), drop('dropped_router')),
    s.rule(
      'another’s address',
      icmpv6('nd-neighbor-advert'),
      foreignTarget,
      uncarriedTarget,
      drop('dropped_address'),
    ),
    s.rule('with a source address: the next rules', s.match('ip6 saddr', '::', '!='), { is: 'return' }),
    s.rule('asking whether the own address is free', icmpv6('nd-neighbor-solicit'), ownTarget, s.accept),
    s.rule('or a further one', icmpv6('nd-neighbor-solicit'), carriedTarget, s.accept),
    s.rule('before it has an address', icmpv6('mld2-listener-report'), ownMac, s.accept),
    s.rule('before it has an address', icmpv6('nd-router-solicit'), ownMac, s.accept),
    s.rule('another’s address', drop('dropped_address')),
  ),
  s.chain(
    'guard',
    s.rule('own address', v4, own4, s.accept),
    s.rule('further address', v4, s.inSet('carried4', 'iifname', 'ether saddr', 'ip saddr'), s.accept),
    s.rule('another’s address', v4, drop('dropped_address')),
    s.rule('ARP', arp, s.goTo('guard_arp')),
    s.rule('another’s MAC', foreignMac, drop('dropped_mac')),
    s.rule('neighbour discovery', v6, icmp6, s.jump('guard_nd')),
    s.rule('own address', v6, own6, s.accept),
    s.rule('further address', v6, s.inSet('carried6', 'iifname', 'ether saddr', 'ip6 saddr'), s.accept),
    s.rule('another’s address', v6, drop('dropped_address')),
    ...tagsWithinTags,
  ),
  s.chain('deaf', s.rule('the host is no part of this network', s.drop)),
  s.chain(
    'guard_router',
    s.rule('ARP', arp, s.goTo('guard_arp')),
    s.rule('another’s MAC', foreignMac, drop('dropped_mac')),
    s.rule('neighbour discovery', v6, icmp6, s.jump('guard_nd')),
    ...tagsWithinTags,
  ),
];

/** Nearly every frame is of one of the first two rules. */
export const GUARD: HostTable = {
  family: 'netdev',
  name: 'viaduct',
  sets: guardSets,
  chains: guardChains,
  ports: {
    name: 'guards',
    priority: -300,
    data: ['chain', 'mac', 'ipv4', 'ipv6', 'nodes'],
    rules: [
      s.rule(
        'a service’s container speaks with nodes alone',
        s.match('ether daddr 0-1', '$nodes', '!='),
        s.drop,
      ),
      s.rule(
        'that there are: what no node takes comes to every port',
        s.match('ether daddr 0-1', '$nodes'),
        s.notInSet('nodes', 'ether daddr'),
        s.drop,
      ),
      s.rule('own address', v4, s.match('ether saddr', '$mac'), s.match('ip saddr', '$ipv4'), s.accept),
      s.rule(
        'own address',
        v6,
        s.match('meta l4proto', 'ipv6-icmp', '!='),
        s.match('ether saddr', '$mac'),
        s.match('ip6 saddr', '$ipv6'),
        s.accept,
      ),
      s.rule('what else a container sends', s.goTo('$chain')),
    ],
  },
};

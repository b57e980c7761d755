/**
 * Layer 2: what passes between ports of one bridge, which layer 3 never sees. A container's port may send only with its own
 * MAC and addresses (safety 6), and where containers may not talk freely only links open a way (safety 2). Without
 * connection tracking: it would cost every frame, and cannot be switched on for single bridges.
 */
import type { HostTable, SetDeclaration } from './language.js';
import * as s from './statements.js';

/** UDP has no handshake to tell answers by: this long after a linked packet its answer passes. */
const ANSWER_SECONDS = 180;
const ANSWER_FLOWS = 65_536;

const setsOf = (family: 4 | 6): SetDeclaration[] => {
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  return [
    {
      name: `senders${family}`,
      key: ['ifname', 'ether_addr', address],
      comment: 'port . MAC . address that may be sent',
    },
    {
      name: `links${family}`,
      key: [address, address, 'inet_proto', 'inet_service'],
      comment: 'from . to . protocol . port',
    },
    {
      name: `answers${family}`,
      key: [address, address, 'inet_proto', 'inet_service', 'inet_service'],
      learned: { seconds: ANSWER_SECONDS, size: ANSWER_FLOWS },
      comment: 'flows over links whose answers may pass',
    },
  ];
};

const sets: readonly SetDeclaration[] = [
  { name: 'guards', key: ['ifname'], data: ['verdict'], comment: 'containers’ bridge ports' },
  { name: 'macs', key: ['ifname', 'ether_addr'], comment: 'port . MAC that may be sent' },
  { name: 'icc_off', key: ['ifname'], comment: 'ports of containers that may not talk freely' },
  ...setsOf(4),
  ...setsOf(6),
];

const v4 = s.match('meta protocol', 'ip');
const v6 = s.match('meta protocol', 'ip6');
const arp = s.match('meta protocol', 'arp');
const icmp6 = s.match('meta l4proto', 'ipv6-icmp');
const ownMac = s.inSet('macs', 'iifname', 'ether saddr');
const foreignMac = s.notInSet('macs', 'iifname', 'ether saddr');
const own4 = s.inSet('senders4', 'iifname', 'ether saddr', 'ip saddr');
const own6 = s.inSet('senders6', 'iifname', 'ether saddr', 'ip6 saddr');
const ownTarget = s.inSet('senders6', 'iifname', 'ether saddr', 'icmpv6 taddr');
const foreignTarget = s.notInSet('senders6', 'iifname', 'ether saddr', 'icmpv6 taddr');
const icmpv6 = (type: string) => [icmp6, s.match('icmpv6 type', type)];

/**
 * First of all hooks, so the bridge does not even learn a false MAC. A tag of VLAN 0 is transparent: the inner packet is
 * judged. Nearly every frame is of the first rule, which costs it one look-up instead of two.
 */
const guards = s.baseChain(
  'guards',
  'filter',
  'prerouting',
  -300,
  s.rule('own address', v4, own4, s.accept),
  s.rule('what else containers send', s.vmap('guards', 'iifname')),
);

const guard = [
  s.chain(
    'guard',
    s.rule('another’s address', v4, s.drop),
    s.rule('ARP', arp, s.goTo('guard_arp')),
    s.rule('another’s MAC', foreignMac, s.drop),
    s.rule('neighbour discovery', v6, icmp6, s.jump('guard_nd')),
    s.rule('own address', v6, own6, s.accept),
    s.rule('another’s address', v6, s.drop),
    s.rule('tags within tags', s.match('meta protocol', '8021q'), s.drop),
    s.rule('tags within tags', s.match('meta protocol', '8021ad'), s.drop),
  ),
  s.chain(
    'guard_router',
    s.rule('ARP', arp, s.goTo('guard_arp')),
    s.rule('another’s MAC', foreignMac, s.drop),
    s.rule('neighbour discovery', v6, icmp6, s.jump('guard_nd')),
    s.rule('tags within tags', s.match('meta protocol', '8021q'), s.drop),
    s.rule('tags within tags', s.match('meta protocol', '8021ad'), s.drop),
  ),
  s.chain(
    'guard_arp',
    s.rule('another’s MAC', foreignMac, s.drop),
    s.rule('IPv4 over Ethernet', s.match('arp format', '0x000108000604', '!='), s.drop),
    s.rule('own address', s.inSet('senders4', 'iifname', 'arp saddr ether', 'arp saddr ip'), s.accept),
    s.rule(
      'asking whether an address is free',
      s.match('arp saddr ip', '0.0.0.0'),
      s.inSet('macs', 'iifname', 'arp saddr ether'),
      s.accept,
    ),
    s.rule('another’s address', s.drop),
  ),
  s.chain(
    'guard_nd',
    s.rule('only the host routes', icmpv6('nd-router-advert'), s.drop),
    s.rule('only the host routes', icmpv6('nd-redirect'), s.drop),
    s.rule('another’s address', icmpv6('nd-neighbor-advert'), foreignTarget, s.drop),
    s.rule('with a source address: the next rules', s.match('ip6 saddr', '::', '!='), { is: 'return' }),
    s.rule('asking whether the own address is free', icmpv6('nd-neighbor-solicit'), ownTarget, s.accept),
    s.rule('before it has an address', icmpv6('mld2-listener-report'), ownMac, s.accept),
    s.rule('before it has an address', icmpv6('nd-router-solicit'), ownMac, s.accept),
    s.rule('another’s address', s.drop),
  ),
];

const linked = (family: 4 | 6) => {
  const ip = family === 4 ? 'ip' : 'ip6';
  const from = `${ip} saddr` as const;
  const to = `${ip} daddr` as const;
  const links = `links${family}`;
  const answers = `answers${family}`;
  const tcp = s.match('meta l4proto', 'tcp');
  return s.chain(
    `linked${family}`,
    s.rule('TCP over a link', tcp, s.inSet(links, from, to, 'meta l4proto', 'th dport'), s.accept),
    s.rule(
      'its answer, which never opens a connection',
      tcp,
      s.inSet(links, to, from, 'meta l4proto', 'th sport'),
      s.anyBit('tcp flags', 'ack,rst'),
      s.accept,
    ),
    s.rule(
      'datagrams over a link',
      s.inSet(links, from, to, 'meta l4proto', 'th dport'),
      s.learn(answers, from, to, 'meta l4proto', 'th sport', 'th dport'),
      s.accept,
    ),
    s.rule('their answers', s.inSet(answers, to, from, 'meta l4proto', 'th dport', 'th sport'), s.accept),
  );
};

/** Later fragments carry no ports; without the first they are nothing. */
const laterFragment4 = s.rule(
  'later fragment',
  v4,
  { is: 'bits', field: 'ip frag-off', op: '!=', mask: '0x1fff' },
  s.accept,
);
const laterFragment6 = s.rule(
  'later fragment',
  v6,
  { is: 'bits', field: 'frag frag-off', op: '!=', mask: '0x1fff' },
  s.accept,
);

const between = [
  linked(4),
  linked(6),
  s.chain(
    'between',
    s.rule('ARP', arp, s.accept),
    laterFragment4,
    laterFragment6,
    s.rule('links', v4, s.jump('linked4')),
    s.rule('links', v6, s.jump('linked6')),
    s.rule('neighbour discovery', v6, icmpv6('nd-neighbor-solicit'), s.accept),
    s.rule('neighbour discovery', v6, icmpv6('nd-neighbor-advert'), s.accept),
    s.rule('containers may not talk', s.drop),
  ),
];

const iccGuard = s.whileAny(
  'icc_off',
  s.baseChain(
    'icc_guard',
    'filter',
    'forward',
    -200,
    s.rule('from a container', s.inSet('icc_off', 'iifname'), s.goTo('between')),
    s.rule('to a container', s.inSet('icc_off', 'oifname'), s.goTo('between')),
  ),
);

export const BRIDGE: HostTable = {
  family: 'bridge',
  name: 'viaduct',
  sets,
  chains: [...guard.slice(2), ...guard.slice(0, 2), ...between, guards, iccGuard],
};

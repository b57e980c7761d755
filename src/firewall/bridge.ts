/**
 * The ruleset's table of the bridge family (layer 2): what passes between ports of one bridge, which layer 3 never
 * sees. Where containers may not talk freely only links open a way (safety 2). Without connection tracking: it would
 * cost every frame, and cannot be switched on for single bridges.
 */
import { arp, icmpv6, v4, v6 } from './guard.js';
import type { HostTable, SetDeclaration } from './language.js';
import * as s from './statements.js';

/** UDP has no handshake to tell answers by: this long after a linked packet its answer passes. */
const ANSWER_SECONDS = 180;
const ANSWER_FLOWS = 65_536;

const setsOf = (family: 4 | 6): SetDeclaration[] => {
  const address = `ipv${family}_addr` as const;
  return [
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

const between = [
  linked(4),
  linked(6),
  s.chain(
    'between',
    s.rule('ARP', arp, s.accept),
    // Later fragments carry no ports; without the first they are nothing.
    s.rule('later fragment', v4, s.anyBit('ip frag-off', '0x1fff'), s.accept),
    s.rule('later fragment', v6, s.anyBit('frag frag-off', '0x1fff'), s.accept),
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
  sets: [
    { name: 'icc_off', key: ['ifname'], comment: 'ports of containers that may not talk freely' },
    ...setsOf(4),
    ...setsOf(6),
  ],
  chains: [...between, iccGuard],
};

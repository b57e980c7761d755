/**
 * Layer 3 and up: publishing, masquerade, and who may reach a container. The chains never change; networks and endpoints
 * are elements, so a packet's cost does not grow with the number of ports. Base chains accept what is not ours.
 */
import type { HostTable, SetDeclaration, Statement } from './language.js';
import * as s from './statements.js';

const set = (
  name: string,
  comment: string,
  key: SetDeclaration['key'],
  rest: Pick<SetDeclaration, 'data' | 'interval'> = {},
): SetDeclaration => ({ name, key, comment, ...rest });

const ADDRESS = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

const setsOf = (family: 4 | 6): SetDeclaration[] => {
  const address = ADDRESS[family];
  const target = ['inet_proto', 'inet_service'] as const;
  const reachable = [address, ...target] as const;
  const to = { data: [address, 'inet_service'] } as const;
  const kept = { data: [address], interval: true } as const;
  const run = { interval: true } as const;
  return [
    set(`snat${family}`, 'bridges whose packets leave with a fixed address', ['ifname'], { data: [address] }),
    set(`publish${family}`, 'ports published on one address', reachable, to),
    set(`publish_range${family}`, 'and in runs, which keep their numbers', reachable, kept),
    set(`publish_any${family}`, 'ports published on every address', target, to),
    set(`publish_any_range${family}`, 'and in runs, which keep their numbers', target, kept),
    set(`relay${family}`, 'ports on one address that the daemon carries', reachable),
    set(`relay_range${family}`, 'and in runs', reachable, run),
    set(`relay_any${family}`, 'ports on every address that the daemon carries', target),
    set(`relay_any_range${family}`, 'and in runs', target, run),
    set(`routed${family}`, 'container ports open to whoever routes to them', reachable),
    set(`routed_range${family}`, 'and in runs', reachable, run),
    set(`links${family}`, 'from . to . protocol . port, where containers may not talk freely', [
      address,
      address,
      ...target,
    ]),
  ];
};

const sets: readonly SetDeclaration[] = [
  set('bridges', 'our bridges', ['ifname']),
  set('switched', 'ports of Open vSwitch’s own process, which has their packets already', ['ifname']),
  set('same_bridge', 'each bridge twice: in and out are one', ['ifname', 'ifname']),
  set('direct', 'from . to: everything passes', ['ifname', 'ifname']),
  set('trusted_marks', 'packets with these marks reach every container', ['mark']),
  set('into', 'who judges what enters a bridge', ['nf_proto', 'ifname'], { data: ['verdict'] }),
  set('out_of', 'bridges that nothing leaves', ['nf_proto', 'ifname'], { data: ['verdict'] }),
  set('closed', 'bridges closed to flows under way as well', ['nf_proto', 'ifname']),
  set('from', 'bridges whose containers may not reach all of the host', ['nf_proto', 'ifname'], {
    data: ['verdict'],
  }),
  set('masqueraded', 'bridges whose packets leave with the address of the way out', ['nf_proto', 'ifname']),
  ...setsOf(4),
  ...setsOf(6),
  set('relay_port', 'where the relay listens', ['inet_proto'], { data: ['inet_service'] }),
  set('relay_guard', 'the relay’s own ports, closed to direct connections', ['inet_proto', 'inet_service']),
];

const v4 = s.match('meta nfproto', 'ipv4');
const v6 = s.match('meta nfproto', 'ipv6');
const established = s.anyBit('ct state', 'established,related');
const translated = s.anyBit('ct status', 'dnat');
const notLoopback = s.match('iifname', 'lo', '!=');
const tcp = s.match('meta l4proto', 'tcp');
const port = ['meta l4proto', 'th dport'] as const;

/**
 * Whole-host guard; 127/8 becomes routable where a bridge has `route_localnet`. Before NAT, which would hide it. Every
 * packet of the host passes here: the family is asked for once, and the address before the interface, whose name takes
 * longer to compare.
 */
const loopbackGuard = [
  s.chain(
    'loopback_guard6',
    s.rule('only the host itself uses ::1', v6, s.match('ip6 daddr', '::1'), notLoopback, s.drop),
  ),
  s.baseChain(
    'loopback_guard',
    'filter',
    'prerouting',
    -300,
    s.rule('IPv6', v6, s.goTo('loopback_guard6')),
    s.rule('only the host itself uses 127/8', s.match('ip daddr', '127.0.0.0/8'), notLoopback, s.drop),
    s.rule('only the host itself uses 127/8', s.match('ip saddr', '127.0.0.0/8'), notLoopback, s.drop),
  ),
];

const switchedGuard = s.whileAny(
  'switched',
  s.baseChain(
    'switched_guard',
    'filter',
    'prerouting',
    -300,
    s.rule('Open vSwitch forwards it, not the host', s.inSet('switched', 'iifname'), s.drop),
  ),
);

const local = s.match('fib daddr type', 'local');
const publishOne = s.goTo('publish_one');
/**
 * Only addresses of this host are looked up, or a container's packets to somebody else's port 53 would be hijacked. A
 * port published on one address answers only on the interface that owns it (and to the host and its containers, who are
 * inside already); a neighbour who routes to another interface's address through us finds nothing.
 */
const publish = [
  s.baseChain(
    'publish_incoming',
    'nat',
    'prerouting',
    -100,
    s.rule('not for this host', s.match('fib daddr type', 'local', '!='), s.accept),
    s.rule('containers reach every address of the host', s.inSet('bridges', 'iifname'), publishOne),
    s.rule('the address is the incoming interface’s', s.match('fib daddr . iif type', 'local'), publishOne),
    s.rule('another interface’s address: only ports published on all', s.goTo('publish_any')),
  ),
  s.baseChain(
    'publish_outgoing',
    'nat',
    'output',
    -100,
    s.rule('the host reaches its own published ports', local, publishOne),
  ),
];

/** What NAT cannot carry (::1, one family to a container of the other) goes to the daemon's relay, TCP only. */
const relayed = (is: Statement) => [is, tcp, s.redirect('relay_port', 'meta l4proto')];

const publishChains = (family: 4 | 6) => {
  const daddr = family === 4 ? 'ip daddr' : 'ip6 daddr';
  const is = family === 4 ? v4 : v6;
  return [
    s.chain(
      `publish_any${family}`,
      s.rule('by the relay', ...relayed(s.inSet(`relay_any${family}`, ...port))),
      s.rule('a run by the relay', ...relayed(s.inSet(`relay_any_range${family}`, ...port))),
      ...(family === 4
        ? []
        : [s.rule('link-local senders cannot be routed', v6, s.match('ip6 saddr', 'fe80::/10'), s.accept)]),
      s.rule('one port', s.dnat(family, `publish_any${family}`, ...port)),
      s.rule('a run of ports', s.dnatAddress(family, `publish_any_range${family}`, ...port)),
    ),
    s.chain(
      `publish_one${family}`,
      s.rule('by the relay', is, ...relayed(s.inSet(`relay${family}`, daddr, ...port))),
      s.rule('a run by the relay', is, ...relayed(s.inSet(`relay_range${family}`, daddr, ...port))),
      s.rule('one port', is, s.dnat(family, `publish${family}`, daddr, ...port)),
      s.rule('a run of ports', is, s.dnatAddress(family, `publish_range${family}`, daddr, ...port)),
      s.rule('or published on every address', s.goTo(`publish_any${family}`)),
    ),
  ];
};

const publishTargets = [
  ...publishChains(4),
  ...publishChains(6),
  ...(['publish_one', 'publish_any'] as const).map((name) =>
    s.chain(name, s.rule('IPv4', v4, s.goTo(`${name}4`)), s.rule('IPv6', s.goTo(`${name}6`))),
  ),
];

const source = s.baseChain(
  'source',
  'nat',
  'postrouting',
  100,
  s.rule(
    'back into the bridge it came from: the answer must pass here',
    s.inSet('same_bridge', 'iifname', 'oifname'),
    translated,
    s.masquerade,
  ),
  s.rule('neighbours see each other', s.inSet('same_bridge', 'iifname', 'oifname'), s.accept),
  s.rule(
    'the same where br_netfilter runs us inside the bridge, which leaves the incoming interface empty',
    s.match('meta iif', '0'),
    s.inSet('bridges', 'oifname'),
    translated,
    s.match('fib saddr type', 'local', '!='),
    s.masquerade,
  ),
  s.rule('leaving the host', s.inSet('masqueraded', 'meta nfproto', 'iifname'), s.masquerade),
  s.rule('leaving with a fixed address', v4, s.snatAddress(4, 'snat4', 'iifname')),
  s.rule('leaving with a fixed address', v6, s.snatAddress(6, 'snat6', 'iifname')),
  s.rule(
    'the host by 127.0.0.1: a container could not answer that',
    v4,
    s.match('ip saddr', '127.0.0.0/8'),
    s.inSet('bridges', 'oifname'),
    s.masquerade,
  ),
);

/**
 * Verdicts are final here, but never overrule another table's drop. Who leaves is judged before who enters. Nearly every
 * packet belongs to a flow that was judged before: the first rule of all that could follow. An internal network is closed
 * even to those, whatever let them in once; only hosts that have one pay for that.
 */
const forward = [
  s.whileAny(
    'closed',
    s.baseChain(
      'closed_guard',
      'filter',
      'forward',
      -1,
      s.rule('out of an internal network', s.inSet('closed', 'meta nfproto', 'iifname'), s.goTo('closed')),
      s.rule('into an internal network', s.inSet('closed', 'meta nfproto', 'oifname'), s.goTo('closed')),
    ),
  ),
  s.baseChain(
    'forward',
    'filter',
    'forward',
    0,
    s.rule('flows under way', established, s.accept),
    s.rule('bridges that nothing leaves', s.vmap('out_of', 'meta nfproto', 'iifname')),
    s.rule('into a bridge', s.vmap('into', 'meta nfproto', 'oifname')),
  ),
];

const into = [
  s.chain('into_open', s.rule('whoever routes here may enter', s.accept)),
  s.chain(
    'into_nat',
    s.rule('answers', established, s.accept),
    s.rule('neighbours, and trusted interfaces', s.inSet('direct', 'iifname', 'oifname'), s.accept),
    s.rule('published ports', translated, s.accept),
    s.rule('links', v4, s.inSet('links4', 'ip saddr', 'ip daddr', ...port), s.accept),
    s.rule('links', v6, s.inSet('links6', 'ip6 saddr', 'ip6 daddr', ...port), s.accept),
    ...['nd-neighbor-solicit', 'nd-neighbor-advert'].map((type) =>
      s.rule(
        'neighbour discovery, where br_netfilter shows it',
        v6,
        s.inSet('same_bridge', 'iifname', 'oifname'),
        s.match('meta l4proto', 'ipv6-icmp'),
        s.match('icmpv6 type', type),
        s.accept,
      ),
    ),
    s.rule('trusted marks', s.inSet('trusted_marks', 'meta mark'), s.accept),
    s.rule('not published', s.drop),
  ),
  s.chain(
    'into_routed',
    s.rule('ping', s.match('meta l4proto', 'icmp'), s.accept),
    s.rule('ping', s.match('meta l4proto', 'ipv6-icmp'), s.accept),
    s.rule('open port', v4, s.inSet('routed4', 'ip daddr', ...port), s.accept),
    s.rule('open port', v4, s.inSet('routed_range4', 'ip daddr', ...port), s.accept),
    s.rule('open port', v6, s.inSet('routed6', 'ip6 daddr', ...port), s.accept),
    s.rule('open port', v6, s.inSet('routed_range6', 'ip6 daddr', ...port), s.accept),
    s.rule('everything else as with NAT', s.goTo('into_nat')),
  ),
  s.chain(
    'closed',
    s.rule('within the bridge', s.inSet('same_bridge', 'iifname', 'oifname'), s.goTo('into_nat')),
    s.rule('internal', s.drop),
  ),
];

const input = [
  s.baseChain(
    'input',
    'filter',
    'input',
    0,
    s.rule(
      'the relay takes what was published',
      s.inSet('relay_guard', ...port),
      s.noBit('ct status', 'dnat'),
      s.drop,
    ),
    s.rule('internal networks', s.vmap('from', 'meta nfproto', 'iifname')),
  ),
  s.chain(
    'from_internal',
    s.rule('answers', established, s.accept),
    s.rule('published ports lead out of the network', translated, s.drop),
    s.rule('its own bridge', s.match('fib daddr . iif type', 'local'), s.accept),
    ...['nd-router-solicit', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'mld2-listener-report'].map(
      (type) =>
        s.rule('IPv6 needs it', s.match('meta l4proto', 'ipv6-icmp'), s.match('icmpv6 type', type), s.accept),
    ),
    s.rule('nothing else of the host', s.drop),
  ),
  s.chain('from_isolated', s.rule('nothing of the host', s.drop)),
];

export const INET: HostTable = {
  family: 'inet',
  name: 'viaduct',
  sets,
  chains: [
    ...into,
    ...publishTargets,
    ...input.slice(1),
    ...loopbackGuard,
    switchedGuard,
    ...publish,
    source,
    ...forward,
    ...input.slice(0, 1),
  ],
};

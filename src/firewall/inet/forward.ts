/** Who may reach a container, and what it may reach through the host. */
import { OWN_GROUP } from '../../plan/link-objects.js';
import * as s from '../statements.js';
import { established, invalid, port, translated, v4, v6 } from './matches.js';

const into = [
  s.chain('into_open', s.rule('whoever routes here may enter', s.accept)),
  s.chain(
    'into_nat',
    s.rule('answers', established, s.accept),
    s.rule('published ports', translated, s.accept),
    s.rule('neighbours, and trusted interfaces', s.inSet('direct', 'iifname', 'oifname'), s.accept),
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

/**
 * NAT passes by what belongs to no flow, so it would leave with the container's own address. Not where that is meant to be
 * seen: between neighbours, and from networks without translation, whose answers may come back by another way.
 */
const untranslated = s.chain(
  'untranslated',
  s.rule('neighbours see each other', s.inSet('same_bridge', 'iifname', 'oifname'), { is: 'return' }),
  ...(['masqueraded', 'fixed_source'] as const).map((bridges) =>
    s.rule('with a private address', s.inSet(bridges, 'meta nfproto', 'iifname'), s.drop),
  ),
);

/**
 * Verdicts are final here, but never overrule another table's drop. Who leaves is judged before who enters. Nearly every
 * packet belongs to a flow that was judged when it began, so that comes first. An internal network is closed even to those,
 * whatever let them in once; only hosts that have one pay for that.
 *
 * Bridges are elements of plain sets: for one more verdict in a map the kernel walks all that the table has, and the chains
 * behind them (2.7 ms with 5,000 networks).
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
    s.rule('of no flow', invalid, s.jump('untranslated')),
    s.rule('bridges that nothing leaves', s.inSet('out_of', 'meta nfproto', 'iifname'), s.goTo('closed')),
    s.rule('into no bridge of ours', s.notInSet('bridges', 'oifname'), s.accept),
    ...(['nat', 'routed', 'open'] as const).map((mode) =>
      s.rule('into a bridge', s.inSet(`${mode}_bridges`, 'meta nfproto', 'oifname'), s.goTo(`into_${mode}`)),
    ),
    s.rule('into one that is not opened', s.goTo('closed')),
  ),
];

const own = String(OWN_GROUP);

/**
 * With br_netfilter a call of a container's to its own node's published port goes on to a container while it is still in the bridge. So that
 * the answer comes back through this node, it leaves as the node's. Here and not in postrouting, where the VXLAN that carries all
 * containers' frames would pass as well; what comes from another interface than ours, or leaves by one, is through with a comparison.
 */
const asNode = s.whileAny(
  'mesh_bridges',
  s.baseChain(
    'as_node',
    'filter',
    'forward',
    1,
    s.rule(
      'as the node’s',
      s.match('meta iifgroup', own),
      s.match('meta oifgroup', own),
      translated,
      s.writeFrom('ether saddr', 'mesh_bridges', 'oifname'),
    ),
  ),
);

export const FORWARD = [...into, untranslated, ...forward, asNode];

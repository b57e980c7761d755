/**
 * VXLAN between the hosts of a cluster. A frame that arrives is taken for a container's, so only the cluster's hosts may send any,
 * and no container may pretend to be one. What passes is not tracked: packets of many containers share few flows, and each
 * would pay for a look-up that decides nothing. In front of everything else, and only on hosts of a cluster.
 *
 * Bridges of our making are known by their link group: a number, where a name would have to be looked up for each packet between hosts
 * (5 µs of a round trip's 300 each way, counted). Others are asked before, where there are any.
 */
import { OWN_GROUP } from '../../plan/link-objects.js';
import * as s from '../statements.js';
import { udp, untracked, v4, v6 } from './matches.js';

const local = s.match('fib daddr type', 'local');
const forOurs = [udp, s.inSet('vxlan', 'udp dport')];
const fromContainer = s.inSet('bridges', 'iifname');
const notOurs = s.match('meta iifgroup', String(OWN_GROUP), '!=');

/** Nearly all that these chains are asked about: what has neither port is through with one comparison. */
const others = s.rule('what VXLAN is not', s.match('meta l4proto', 'udp', '!='), s.accept);

export const VXLAN = [
  // What the host masquerades comes to another host from an address that is believed there.
  s.chain(
    'vxlan_through',
    s.rule('no container is a host of the cluster', v4, s.inSet('vteps4', 'ip daddr'), s.drop),
    s.rule('no container is a host of the cluster', v6, s.inSet('vteps6', 'ip6 daddr'), s.drop),
  ),
  s.whileAny(
    ['vxlan', 'foreign_bridges'],
    s.baseChain(
      'foreign_guard',
      'filter',
      'prerouting',
      -301,
      s.rule('a container', ...forOurs, s.inSet('foreign_bridges', 'iifname'), local, s.drop),
    ),
  ),
  s.whileAny(
    'vxlan',
    s.baseChain(
      'vxlan_guard',
      'filter',
      'prerouting',
      -300,
      others,
      ...([4, 6] as const).map((family) => {
        const [is, ip] = family === 4 ? ([v4, 'ip'] as const) : ([v6, 'ip6'] as const);
        return s.rule(
          'from a host of the cluster to this one',
          is,
          s.inSet(`vxlan_ways${family}`, `${ip} saddr`, `${ip} daddr`, 'udp dport'),
          notOurs,
          untracked,
          s.accept,
        );
      }),
      s.rule('a container, or a stranger', forOurs, local, s.drop),
      s.rule('for other hosts’ VXLAN devices', forOurs, fromContainer, s.goTo('vxlan_through')),
    ),
  ),
  s.whileAny(
    'vxlan',
    s.baseChain(
      'vxlan_out',
      'filter',
      'output',
      -300,
      others,
      ...([4, 6] as const).map((family) => {
        const [is, ip] = family === 4 ? ([v4, 'ip'] as const) : ([v6, 'ip6'] as const);
        return s.rule(
          'from this host of the cluster to another',
          is,
          s.inSet(`vxlan_ways${family}`, `${ip} daddr`, `${ip} saddr`, 'udp dport'),
          untracked,
          s.accept,
        );
      }),
    ),
  ),
];

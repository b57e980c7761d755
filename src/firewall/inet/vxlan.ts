/**
 * VXLAN between the hosts of a cluster. A frame that arrives is taken for a container's, so only the cluster's hosts may send any,
 * and no container may pretend to be one. What passes is not tracked: packets of many containers share few flows, and each
 * would pay for a look-up that decides nothing. In front of everything else, and only on hosts of a cluster.
 */
import * as s from '../statements.js';
import { v4, v6 } from './matches.js';

const udp = s.match('meta l4proto', 'udp');
const local = s.match('fib daddr type', 'local');
const untracked = { is: 'notrack' } as const;

export const VXLAN = [
  s.chain(
    'vxlan_in',
    s.rule('no container is a host of the cluster', s.inSet('bridges', 'iifname'), s.drop),
    s.rule('a host of the cluster', v4, s.inSet('vteps4', 'ip saddr'), untracked, s.accept),
    s.rule('a host of the cluster', v6, s.inSet('vteps6', 'ip6 saddr'), untracked, s.accept),
    s.rule('a stranger', s.drop),
  ),
  // What the host masquerades comes to another host from an address that is believed there.
  s.chain(
    'vxlan_through',
    s.rule('no container is a host of the cluster', v4, s.inSet('vteps4', 'ip daddr'), s.drop),
    s.rule('no container is a host of the cluster', v6, s.inSet('vteps6', 'ip6 daddr'), s.drop),
  ),
  s.whileAny(
    'vxlan',
    s.baseChain(
      'vxlan_guard',
      'filter',
      'prerouting',
      -300,
      s.rule('for our VXLAN devices', udp, s.inSet('vxlan', 'udp dport'), local, s.goTo('vxlan_in')),
      s.rule(
        'for other hosts’',
        udp,
        s.inSet('vxlan', 'udp dport'),
        s.inSet('bridges', 'iifname'),
        s.goTo('vxlan_through'),
      ),
    ),
  ),
  s.whileAny(
    'vxlan',
    s.baseChain(
      'vxlan_out',
      'filter',
      'output',
      -300,
      s.rule(
        'to a host of the cluster',
        udp,
        s.inSet('vxlan', 'udp dport'),
        v4,
        s.inSet('vteps4', 'ip daddr'),
        untracked,
      ),
      s.rule(
        'to a host of the cluster',
        udp,
        s.inSet('vxlan', 'udp dport'),
        v6,
        s.inSet('vteps6', 'ip6 daddr'),
        untracked,
      ),
    ),
  ),
];

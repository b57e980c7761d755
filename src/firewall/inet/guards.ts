/** Before everything else: what must not have come from outside, and what is not the host's to forward. */
import { OWN_GROUP } from '../../plan/link-objects.js';
import * as s from '../statements.js';
import { NODE_MAC_BYTES } from '../way-back.js';
import { notLoopback, untracked, v6 } from './matches.js';

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

/**
 * br_netfilter shows what passes between a task and another node, and one client may have the same port with several: two of those flows
 * would be taken for one, whose second half never gets an answer. The task's sandbox keeps them apart (`way-back.ts`); here they are
 * another node's, and not tracked.
 */
const meshPassing = s.whileAny(
  'mesh_nodes',
  s.baseChain(
    'mesh_passing',
    'filter',
    'prerouting',
    -300,
    s.rule('from outside', s.match('meta iifgroup', String(OWN_GROUP), '!='), s.accept),
    s.rule(
      'of another node, to a task: what is for a node is translated here, or dropped',
      s.match('ether daddr 0-1', NODE_MAC_BYTES, '!='),
      s.inSet('mesh_nodes', 'iifname', 'ether saddr'),
      untracked,
    ),
    s.rule('its answer', s.inSet('mesh_nodes', 'iifname', 'ether daddr'), untracked),
  ),
);

export const GUARDS = [...loopbackGuard, switchedGuard, meshPassing];

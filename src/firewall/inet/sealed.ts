/**
 * Encrypted networks: nothing of them is on the wire but inside WireGuard, and nothing is taken for theirs that did not come by it. Their
 * VXLAN devices have a port of their own and know addresses of the tunnel alone; that nobody else has such an address WireGuard sees
 * to. So what has the port or such an address and another interface is clear, whatever became of tunnel or routes. The kernel's VXLAN
 * socket hears IPv6 on every address of the host.
 */
import { TUNNEL_LINK, TUNNEL_SUBNET } from '../../model/tunnel.js';
import * as s from '../statements.js';
import { udp, untracked, v6 } from './matches.js';

const sealed = s.inSet('sealed', 'udp dport');
const byTunnel = s.match('iifname', TUNNEL_LINK);
const notByTunnel = s.match('iifname', TUNNEL_LINK, '!=');
const intoTunnel = s.match('oifname', TUNNEL_LINK);

export const SEALED = [
  s.whileAny(
    'sealed',
    s.baseChain(
      'sealed_guard',
      'filter',
      'prerouting',
      -300,
      s.rule('of a host, in cipher', byTunnel, udp, sealed, untracked, s.accept),
      s.rule('nothing else comes by it', byTunnel, s.drop),
      s.rule('clear', v6, udp, sealed, s.match('fib daddr type', 'local'), s.drop),
      s.rule(
        'hosts alone speak to hosts there',
        v6,
        s.match('ip6 daddr', TUNNEL_SUBNET),
        s.match('iifname', 'lo', '!='),
        notByTunnel,
        s.drop,
      ),
    ),
  ),
  s.whileAny(
    'sealed',
    s.baseChain(
      'sealed_out',
      'filter',
      'output',
      -300,
      s.rule('to a host, in cipher', intoTunnel, udp, sealed, untracked, s.accept),
      s.rule(
        'never clear',
        v6,
        s.match('ip6 daddr', TUNNEL_SUBNET),
        s.match('oifname', TUNNEL_LINK, '!='),
        s.match('oifname', 'lo', '!='),
        s.drop,
      ),
    ),
  ),
];

/** What containers may reach of the host itself. */
import * as s from '../statements.js';
import { established, port, translated } from './matches.js';

export const INPUT = [
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

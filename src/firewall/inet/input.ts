/** What containers may reach of the host itself. All that the host receives passes here. */
import * as s from '../statements.js';
import { established, invalid, port, translated, udp, v4, v6 } from './matches.js';

const fromInternal = s.chain(
  'from_internal',
  s.rule('published ports lead out of the network', translated, s.drop),
  s.rule('its own bridge', s.match('fib daddr . iif type', 'local'), s.accept),
  ...['nd-router-solicit', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'mld2-listener-report'].map((type) =>
    s.rule('IPv6 needs it', s.match('meta l4proto', 'ipv6-icmp'), s.match('icmpv6 type', type), s.accept),
  ),
  s.rule('nothing else of the host', s.drop),
);

const fromIsolated = s.chain('from_isolated', s.rule('nothing of the host', s.drop));

/** Closed to flows of earlier days as well, as internal networks are where packets are forwarded. */
const isolatedGuard = s.whileAny(
  'isolated',
  s.baseChain(
    'isolated_guard',
    'filter',
    'input',
    -1,
    s.rule('isolated networks', s.inSet('isolated', 'meta nfproto', 'iifname'), s.goTo('from_isolated')),
  ),
);

/** Whoever reaches the API is root on this machine: no container does, at no address of the host, over no old flow. */
const apiGuard = s.whileAny(
  'api',
  s.baseChain(
    'api_guard',
    'filter',
    'input',
    -1,
    s.rule('the API is no container’s', s.inSet('api', ...port), s.inSet('bridges', 'iifname'), s.drop),
  ),
);

/**
 * A segment that the tracker takes for none of a connection's (its number is far off) is not translated: it comes to the
 * host instead of the container, and the host's reset would end the connection. So it is dropped where it is for a
 * published port, or from a container, whose answer to the host it may be. What the host serves itself is its own affair.
 */
const strays = s.chain(
  'strays',
  s.rule('only TCP is reset', s.match('meta l4proto', 'tcp', '!='), { is: 'return' }),
  s.rule('of a container', s.inSet('bridges', 'iifname'), s.drop),
  ...([4, 6] as const).flatMap((family) => {
    const [is, daddr] = family === 4 ? ([v4, 'ip daddr'] as const) : ([v6, 'ip6 daddr'] as const);
    return (['held', 'relay'] as const).flatMap((kind) => [
      s.rule('for a published port', is, s.inSet(`${kind}${family}`, daddr, ...port), s.drop),
      s.rule('for a published port', is, s.inSet(`${kind}_range${family}`, daddr, ...port), s.drop),
      s.rule('for a published port', is, s.inSet(`${kind}_any${family}`, ...port), s.drop),
      s.rule('for a published port', is, s.inSet(`${kind}_any_range${family}`, ...port), s.drop),
    ]);
  }),
);

export const INPUT = [
  strays,
  fromInternal,
  fromIsolated,
  isolatedGuard,
  apiGuard,
  s.baseChain(
    'input',
    'filter',
    'input',
    0,
    s.rule('flows under way', established, s.accept),
    s.rule('VXLAN, which is no flow: judged as it came', udp, s.inSet('vxlan', 'udp dport'), s.accept),
    s.rule('of no flow', invalid, s.jump('strays')),
    s.rule(
      'the relay takes what was published',
      s.inSet('relay_guard', ...port),
      s.noBit('ct status', 'dnat'),
      s.drop,
    ),
    s.rule('internal networks', s.vmap('from', 'meta nfproto', 'iifname')),
  ),
];

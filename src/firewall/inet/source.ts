/** Source addresses: kept, but where the answer would not come back through us. */
import * as s from '../statements.js';
import { translated, v4, v6 } from './matches.js';

/** Where sources are translated. */
const SOURCES = 100;

const within = s.chain(
  'within',
  s.rule('back into the bridge it came from: the answer must pass here', translated, s.masquerade),
  s.rule('neighbours see each other', s.accept),
);

const source = s.baseChain(
  'source',
  'nat',
  'postrouting',
  SOURCES,
  s.rule('within a bridge', s.inSet('same_bridge', 'iifname', 'oifname'), s.goTo('within')),
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
  // Last, as only few flows come so far: what a container sends out has been masqueraded before.
  ...([4, 6] as const).map((family) =>
    s.rule(
      'the host by another bridge’s address: a container on that bridge too would answer there',
      family === 4 ? v4 : v6,
      s.inSet(`gateways${family}`, family === 4 ? 'ip saddr' : 'ip6 saddr'),
      s.inSet('bridges', 'oifname'),
      translated,
      s.masquerade,
    ),
  ),
);

export const SOURCE = [within, source];

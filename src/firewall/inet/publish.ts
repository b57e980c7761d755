/** Destinations: published ports lead to containers, or to the daemon's relay. */
import type { Statement } from '../language.js';
import * as s from '../statements.js';
import { port, tcp, v4, v6 } from './matches.js';

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

export const PUBLISH = [...publishTargets, ...publish];

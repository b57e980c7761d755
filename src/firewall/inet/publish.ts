/** Destinations: published ports lead to containers, or to the daemon's relay. */
import type { Rule, Statement } from '../language.js';
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
  // Nobody else has a port of the mesh, at no address: it needs no look at ranges, relays and addresses.
  s.whileAny(
    'mesh4',
    s.baseChain(
      'mesh_incoming',
      'nat',
      'prerouting',
      -101,
      s.rule('a port of the mesh', v4, local, s.vmap('mesh4', ...port)),
    ),
  ),
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

/**
 * What NAT cannot carry goes to the daemon's relay, TCP only: one family to a container of the other, and what comes from
 * a link-local address or is for ::1, which cannot be routed to any container. The address stays: a redirect would
 * make ::1 of it in the output hook, and from there nothing finds the way back to a link-local sender.
 */
const relayed = (is: Statement) => [is, tcp, s.toPort('relay_port', 'meta l4proto')];

const linkLocal = s.match('ip6 saddr', 'fe80::/10');
const loopback6 = s.match('ip6 daddr', '::1');

/** Behind these the held socket takes datagrams, and refuses connections. */
const unroutable = [
  s.chain(
    'unroutable_any6',
    s.rule('by the relay', ...relayed(s.inSet('held_any6', ...port))),
    s.rule('a run by the relay', ...relayed(s.inSet('held_any_range6', ...port))),
  ),
  s.chain(
    'unroutable_one6',
    s.rule('by the relay', ...relayed(s.inSet('held6', 'ip6 daddr', ...port))),
    s.rule('a run by the relay', ...relayed(s.inSet('held_range6', 'ip6 daddr', ...port))),
    s.rule('or published on every address', s.goTo('publish_any6')),
  ),
];

const publishChains = (family: 4 | 6) => {
  const daddr = family === 4 ? 'ip daddr' : 'ip6 daddr';
  const is = family === 4 ? v4 : v6;
  const of6 = (...rules: readonly Rule[]) => (family === 6 ? rules : []);
  return [
    s.chain(
      `publish_any${family}`,
      s.rule('by the relay', ...relayed(s.inSet(`relay_any${family}`, ...port))),
      s.rule('a run by the relay', ...relayed(s.inSet(`relay_any_range${family}`, ...port))),
      ...of6(
        s.rule('link-local senders cannot be routed', v6, linkLocal, s.goTo('unroutable_any6')),
        s.rule('nor can ::1', v6, loopback6, s.goTo('unroutable_any6')),
      ),
      s.rule('one port', s.dnat(family, `publish_any${family}`, ...port)),
      s.rule('a run of ports', s.dnatAddress(family, `publish_any_range${family}`, ...port)),
      s.rule('a port of the mesh', s.vmap(`mesh${family}`, ...port)),
    ),
    s.chain(
      `publish_one${family}`,
      s.rule('by the relay', is, ...relayed(s.inSet(`relay${family}`, daddr, ...port))),
      s.rule('a run by the relay', is, ...relayed(s.inSet(`relay_range${family}`, daddr, ...port))),
      ...of6(s.rule('link-local senders cannot be routed', v6, linkLocal, s.goTo('unroutable_one6'))),
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

export const PUBLISH = [...unroutable, ...publishTargets, ...publish];

/**
 * The table of one sandbox: 127.0.0.11:53 leads to the resolver's hidden ports. Headers are rewritten without NAT, so no
 * connection tracking is switched on in the container (a cost on every packet it sends) and a query costs one rule.
 * Queries change before tracking and answers after it, so a container that tracks connections sees one consistent flow.
 */
import type { Table } from './language.js';
import { baseChain, match, rule, write } from './statements.js';

export const RESOLVER = '127.0.0.11';

/** Before connection tracking (-200) and its raw table (-300). */
const BEFORE_TRACKING = -310;
/** Behind everything a container's own firewall does on input (filter 0, security 50). */
const AFTER_FILTERS = 400;

/** `ports`: where the resolver listens on 127.0.0.11, 1–65535. */
export const sandboxTable = (ports: { readonly udp: number; readonly tcp: number }): Table => ({
  family: 'ip',
  name: 'viaduct',
  sets: [],
  chains: [
    baseChain(
      'queries',
      'filter',
      'output',
      BEFORE_TRACKING,
      ...(['udp', 'tcp'] as const).map((protocol) =>
        rule(
          'DNS queries go to the embedded resolver',
          match('ip daddr', RESOLVER),
          match('meta l4proto', protocol),
          match(`${protocol} dport`, '53'),
          write(`${protocol} dport`, String(ports[protocol])),
        ),
      ),
    ),
    baseChain(
      'answers',
      'filter',
      'input',
      AFTER_FILTERS,
      ...(['udp', 'tcp'] as const).map((protocol) =>
        rule(
          'its answers come from port 53',
          match('ip saddr', RESOLVER),
          match('meta l4proto', protocol),
          match(`${protocol} sport`, String(ports[protocol])),
          write(`${protocol} sport`, '53'),
        ),
      ),
    ),
  ],
});

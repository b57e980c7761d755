/**
 * The tables of one sandbox: 127.0.0.11:53 leads to the resolver's hidden ports. Headers are rewritten without NAT, so no
 * connection tracking is switched on in the container (a cost on every packet it sends). Queries change before tracking,
 * so a container that tracks connections sees one consistent flow; answers change when `lo` receives them, tracked
 * already, so what arrives by other interfaces meets no hook of ours. The ports are elements: taking chains away costs
 * 16 ms, and a restarted daemon may have other ports in hundreds of sandboxes.
 */
import type { Chain, Rule, SetElement, Table } from './language.js';
import * as s from './statements.js';

/** Where Docker's users expect the embedded resolver. */
const RESOLVER = '127.0.0.11';
/** Before connection tracking (-200) and its raw table (-300). */
const BEFORE_TRACKING = -310;

const PROTOCOLS = ['udp', 'tcp'] as const;
type Protocol = (typeof PROTOCOLS)[number];

const perProtocol = (rule: (protocol: Protocol) => Rule): readonly Rule[] => PROTOCOLS.map(rule);

const QUERIES: Table = {
  family: 'ip',
  name: 'viaduct',
  sets: [
    {
      name: 'resolver',
      key: ['inet_proto'],
      data: ['inet_service'],
      comment: 'where the resolver listens',
    },
  ],
  chains: [
    s.chain(
      'to_resolver',
      ...perProtocol((protocol) =>
        s.rule(
          'queries go to the hidden port',
          s.match('meta l4proto', protocol),
          s.match(`${protocol} dport`, '53'),
          s.writeFrom(`${protocol} dport`, 'resolver', 'meta l4proto'),
        ),
      ),
    ),
    // All that the container sends passes here, and is done after one comparison.
    s.baseChain(
      'queries',
      'filter',
      'output',
      BEFORE_TRACKING,
      s.rule('to the resolver', s.match('ip daddr', RESOLVER), s.goTo('to_resolver')),
    ),
  ],
};

const receivedByLo: Chain = {
  name: 'answers',
  base: { type: 'filter', hook: 'ingress', device: 'lo', priority: 0 },
  rules: [
    s.rule('all but IPv4', s.match('meta protocol', 'ip', '!='), s.accept),
    s.rule('all but the resolver', s.match('ip saddr', RESOLVER, '!='), s.accept),
    ...perProtocol((protocol) =>
      s.rule(
        'answers come from port 53',
        s.match('meta l4proto', protocol),
        s.inSet('hidden', 'meta l4proto', 'th sport'),
        s.write(`${protocol} sport`, '53'),
      ),
    ),
  ],
};

const ANSWERS: Table = {
  family: 'netdev',
  name: 'viaduct',
  sets: [
    {
      name: 'hidden',
      key: ['inet_proto', 'inet_service'],
      comment: 'where the resolver listens, to know its answers by',
    },
  ],
  chains: [receivedByLo],
};

export const SANDBOX: readonly Table[] = [QUERIES, ANSWERS];

export interface ResolverPorts {
  /** 1–65535, on 127.0.0.11 */
  readonly udp: number;
  readonly tcp: number;
}

export const sandboxElements = (ports: ResolverPorts): SetElement[] =>
  PROTOCOLS.flatMap((protocol): SetElement[] => {
    const port = String(ports[protocol]);
    return [
      { family: 'ip', set: 'resolver', key: [protocol], data: [port] },
      { family: 'netdev', set: 'hidden', key: [protocol, port] },
    ];
  });

/**
 * The table of one sandbox whose networks have services with addresses of their own. What the container sends to one goes to one
 * of its backends, drawn by lot for each flow, which sees the container's own address. The price is connection tracking (11 to 17 %
 * of a small request), so only such sandboxes have the table. The output hook comes before neighbours are asked for: no
 * interface needs the address. What comes for a service without backends is refused at once.
 */
import { type Balancing, balanced } from './balance.js';
import { v4, v6 } from './inet/matches.js';
import type { SetDeclaration, SetElement, Table } from './language.js';
import * as s from './statements.js';

const PREFIX = 'one_of_';
const REFUSAL = 'none';

const setsOf = (family: 4 | 6): readonly SetDeclaration[] => {
  const address = `ipv${family}_addr` as const;
  return [
    {
      name: `vips${family}`,
      key: [address],
      data: ['verdict'],
      comment: 'addresses of services, by how many backends they have',
    },
    {
      name: `backends${family}`,
      key: [address, 'slot'],
      data: [address],
      comment: 'where each of them leads',
    },
  ];
};

export const SERVICES: Table = {
  family: 'inet',
  name: 'viaduct',
  sets: [...setsOf(4), ...setsOf(6)],
  chains: [
    s.chain(REFUSAL, s.rule('nobody serves there now', s.reject)),
    s.baseChain(
      'to_services',
      'nat',
      'output',
      -100,
      s.rule('IPv4', v4, s.vmap('vips4', 'ip daddr')),
      s.rule('IPv6', v6, s.vmap('vips6', 'ip6 daddr')),
    ),
  ],
  counted: {
    prefix: PREFIX,
    rules: [
      s.rule('IPv4', v4, s.dnatAddressByLot(4, 'backends4', 'ip daddr')),
      s.rule('IPv6', v6, s.dnatAddressByLot(6, 'backends6', 'ip6 daddr')),
    ],
  },
};

const BALANCING: Readonly<Record<4 | 6, Balancing>> = {
  4: { family: 'inet', verdicts: 'vips4', slots: 'backends4', prefix: PREFIX, refusal: REFUSAL },
  6: { family: 'inet', verdicts: 'vips6', slots: 'backends6', prefix: PREFIX, refusal: REFUSAL },
};

/** `address`, and the backends' in their slots: bare, all of one family. */
export const serviceElements = (address: string, backends: readonly string[]): SetElement[] =>
  balanced(
    BALANCING[address.includes(':') ? 6 : 4],
    [address],
    backends.map((backend) => [backend]),
  );

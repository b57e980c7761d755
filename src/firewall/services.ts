/**
 * The table of one sandbox whose networks have services with addresses of their own. What the container sends to one goes to one
 * of its backends, drawn by lot for each flow, which sees the container's own address. The price is connection tracking (11 to 17 %
 * of a small request), so only such sandboxes have the table. The output hook comes before neighbours are asked for: no
 * interface needs the address. What comes for a service without backends is refused at once.
 */
import { isDeepStrictEqual } from 'node:util';
import { groupBy } from '../plan/group.js';
import type { ServiceChange } from '../plan/kinds/services.js';
import type { ServiceAddress } from '../plan/objects.js';
import { type Balancing, backendsIn, balanced, rebalanced } from './balance.js';
import { tcp, v4, v6 } from './inet/matches.js';
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
    s.chain(
      REFUSAL,
      // It is asked of the state only so that connections are tracked, or no chain for NAT is asked at all. Who is in connect()
      // would not hear what comes by ICMP at once.
      s.rule('nobody serves there now', s.anyBit('ct state', 'new'), tcp, s.reset),
      s.rule('nor anything else', s.reject),
    ),
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

const balancingOf = (address: string): Balancing => BALANCING[address.includes(':') ? 6 : 4];

export const serviceElements = (service: ServiceAddress): SetElement[] =>
  balanced(balancingOf(service.address), [service.address], service.backends);

/** The elements that go, and those that come behind them. */
export const serviceElementChanges = ({ address, before, after }: ServiceChange) =>
  rebalanced(balancingOf(address), [address], before?.backends, after?.backends);

/** The other way round: what elements say, in the order of texts; nothing where they do not fit together. */
export const servicesOf = (elements: readonly SetElement[]): readonly ServiceAddress[] => {
  const slots = groupBy(
    elements.filter(({ key }) => key.length === 2),
    ({ key: [address = ''] }) => address,
  );
  const services = elements
    .filter(({ key }) => key.length === 1)
    .map(({ key: [address = ''] }) => ({ address, backends: backendsIn(slots.get(address) ?? []) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const whole = services
    .flatMap(serviceElements)
    .map((each) => JSON.stringify(each))
    .sort();
  const found = elements
    .map(({ family, set, key, data }) => JSON.stringify({ family, set, key, data }))
    .sort();
  return isDeepStrictEqual(whole, found) ? services : [];
};

/**
 * Many host ports that NAT leads to one container in no order: one object however many they are, or each of ten thousand
 * would be derived, named and compared for itself.
 */
import type { Protocol } from '../../model/port.js';
import type { Kind } from './kind.js';

/** A host port and the container's: `host * 65536 + container`. */
export type PortPair = number;
export const portPair = (host: number, container: number): PortPair => host * 0x10000 + container;
export const hostOf = (pair: PortPair): number => pair >>> 16;
export const containerOf = (pair: PortPair): number => pair & 0xffff;

export interface PublishedObject {
  readonly kind: 'published';
  readonly family: 'inet';
  /** the map that has an element for each */
  readonly set: string;
  readonly protocol: Protocol;
  /** of the host; absent: every one of the family */
  readonly address?: string;
  /** the container's address */
  readonly to: string;
  /** ascending */
  readonly pairs: readonly PortPair[];
}

export const samePairs = (a: readonly PortPair[] = [], b: readonly PortPair[] = []): boolean =>
  a === b || (a.length === b.length && a.every((pair, at) => pair === b[at]));

const published: Kind<PublishedObject> = {
  key: ({ set, protocol, address = '', to }) => `${set} ${address} ${protocol} ${to}`,
  mark: 'own',
  open: 'openElement',
  close: 'closeElement',
  same: (a, b) => samePairs(a.pairs, b.pairs),
  print: (op, { set, protocol, address, to, pairs }) => {
    const [first = 0] = pairs;
    const key = [...(address === undefined ? [] : [address]), protocol, hostOf(first)].join(' . ');
    const verb = op === 'create' ? 'add' : op;
    return `nft ${verb} element inet viaduct ${set} { ${key} : ${to} . ${containerOf(first)}, … } (${pairs.length} ports)`;
  },
};

export const PUBLISHED = { published };

/**
 * The addresses of services as one sandbox reaches them. One object a sandbox: it is there only while its networks have any, as the
 * containers of others are not to pay for connection tracking, and a change of one backend among thousands compares lists.
 */

import { same } from '../equal.js';
import type { Netns } from '../link-objects.js';
import type { Kind } from './kind.js';

export interface ServiceAddress {
  /** bare */
  readonly address: string;
  /** bare, of the address's family, each at the number of its slot; none: connections are refused */
  readonly backends: readonly string[];
  /** bare; what is under way to these stays. Absent where only observed, as the kernel does not tell. */
  readonly leaving?: readonly string[];
}

export interface ServicesObject {
  readonly kind: 'services';
  readonly ns: Netns;
  /** in the order of their texts; at least one where wanted */
  readonly services: readonly ServiceAddress[];
}

const sameService = (a: ServiceAddress, b: ServiceAddress | undefined): boolean =>
  a === b ||
  (a.address === b?.address &&
    same(a.backends, b.backends) &&
    (!a.leaving || !b.leaving || same(a.leaving, b.leaving)));

const byAddress = (o: ServicesObject | undefined): ReadonlyMap<string, ServiceAddress> =>
  new Map(o?.services.map((service) => [service.address, service]));

export interface ServiceChange {
  readonly address: string;
  /** undefined: it comes */
  readonly before: ServiceAddress | undefined;
  /** undefined: it goes */
  readonly after: ServiceAddress | undefined;
}

/** What differs, by address. */
export const serviceChanges = (
  before: ServicesObject | undefined,
  after: ServicesObject | undefined,
): readonly ServiceChange[] => {
  const [from, to] = [byAddress(before), byAddress(after)];
  return [...new Set([...from.keys(), ...to.keys()])].flatMap((address) => {
    const change = { address, before: from.get(address), after: to.get(address) };
    return change.before && change.after && sameService(change.before, change.after) ? [] : [change];
  });
};

/** Whose flows the kernel has to forget at a plan's end: those of services that somebody left, or that were another's address. */
export const forgetsFlows = ({ before, after }: ServiceChange): boolean => {
  if (!after) return false;
  const stays = new Set([...after.backends, ...(after.leaving ?? [])]);
  return !before || [...before.backends, ...(before.leaving ?? [])].some((address) => !stays.has(address));
};

const printed = ({ address, before, after }: ServiceChange): string => {
  if (!after) return `${address} no more`;
  const to = after.backends.length === 0 ? 'nobody' : after.backends.join(', ');
  return `${address} ${before ? 'now ' : ''}to ${to}`;
};

const services: Kind<ServicesObject> = {
  key: ({ ns }) => ns,
  mark: 'own',
  open: 'openElement',
  close: 'closeElement',
  within: ({ ns }) => ns,
  same: (a, b) =>
    a.services.length === b.services.length &&
    a.services.every((each, i) => sameService(each, b.services[i])),
  print: (op, o, before) => {
    if (op === 'delete') return `ip netns exec ${o.ns} nft delete table inet viaduct`;
    return `balance in ${o.ns}: ${serviceChanges(before, o).map(printed).join('; ')}`;
  },
};

export const SERVICES = { services };

/**
 * The table of services in a sandbox's namespace (`firewall/services.ts`): made with all that is in it, changed by elements, and
 * taken away, each in one transaction. Who in the container may change its firewall can break it; then it is made anew.
 */
import { EBUSY, EEXIST, ENOENT, failedWith } from '../../errno.js';
import { countedFor } from '../../firewall/balance.js';
import { SERVICES, serviceElementChanges, serviceElements, servicesOf } from '../../firewall/services.js';
import { serviceChanges } from '../../plan/kinds/services.js';
import type { ServiceAddress, ServicesObject } from '../../plan/objects.js';
import { NETLINK, type NetlinkSocket, withSocket } from '../netlink.js';
import { elementMessages } from './elements.js';
import { inSandbox, UNOWNED } from './in-sandbox.js';
import { batch } from './messages.js';
import { chainNames, dumpSet, observeTable } from './observed.js';
import { chainMessages, createTableMessages, deleteTableMessage, tableComment } from './tables.js';

const changing = (op: 'add' | 'delete', elements: Parameters<typeof countedFor>[1]): readonly Buffer[] =>
  elementMessages(elements.map((element) => ({ op, element }))).map(({ message }) => message);

/** Whatever is there. */
const write = (socket: NetlinkSocket, { ns, services }: ServicesObject): void => {
  const elements = services.flatMap(serviceElements);
  const former = observeTable(socket, SERVICES) ? [deleteTableMessage(SERVICES)] : [];
  const messages = [
    ...former,
    ...createTableMessages(SERVICES, UNOWNED, elements),
    ...changing('add', elements),
  ];
  socket.request(batch(messages), `nftables services in ${ns}`);
};

const change = (socket: NetlinkSocket, o: ServicesObject, before: ServicesObject): void => {
  const changes = serviceChanges(before, o).map(serviceElementChanges);
  const gone = changes.flatMap((each) => each.gone);
  const come = changes.flatMap((each) => each.come);
  const needed = countedFor(SERVICES, come);
  const there = needed.length > 0 ? chainNames(socket, SERVICES) : [];
  const missing = needed.filter(({ name }) => !there.includes(name));
  const messages = [
    ...missing.flatMap((chain) => chainMessages(SERVICES, chain)),
    ...changing('delete', gone),
    ...changing('add', come),
  ];
  if (messages.length > 0) socket.request(batch(messages), `nftables services in ${o.ns}`);
};

const isOfThisVersion = (socket: NetlinkSocket): boolean =>
  observeTable(socket, SERVICES)?.comment === tableComment(SERVICES);

export const writeServices = (o: ServicesObject): void => inSandbox(o.ns, (socket) => write(socket, o));

/** 0.2 ms, however many there are. */
export const changeServices = (o: ServicesObject, before: ServicesObject): void =>
  inSandbox(o.ns, (socket) => {
    if (!isOfThisVersion(socket)) return write(socket, o);
    try {
      change(socket, o, before);
    } catch (error) {
      if (!failedWith(error, ENOENT, EEXIST, EBUSY)) throw error;
      write(socket, o);
    }
  });

export const dropServices = ({ ns }: ServicesObject): void =>
  inSandbox(ns, (socket) => {
    if (observeTable(socket, SERVICES))
      socket.request(batch([deleteTableMessage(SERVICES)]), `nftables services in ${ns}`);
  });

/** Undefined: there is no table. What is not as this version writes it reads as empty, and so as not what is wanted. */
export const readServices = (ns: string): readonly ServiceAddress[] | undefined =>
  withSocket(NETLINK.NETFILTER, ns, (socket) => {
    const table = observeTable(socket, SERVICES);
    if (!table) return undefined;
    if (table.comment !== tableComment(SERVICES)) return [];
    return servicesOf(SERVICES.sets.flatMap(({ name }) => dumpSet(socket, SERVICES.family, name)));
  });

/** The tables of a sandbox on the ingress network (`firewall/way-back.ts`): made and taken away in one transaction each. */
import { EOPNOTSUPP, failedWith } from '../../errno.js';
import { notImplemented } from '../../errors.js';
import { WAY_BACK, wayBackOut } from '../../firewall/way-back.js';
import type { WayBackObject } from '../../plan/objects.js';
import { NETLINK, type NetlinkSocket, withSocket } from '../netlink.js';
import { inSandbox, UNOWNED } from './in-sandbox.js';
import { batch } from './messages.js';
import { chainNames, observeTables } from './observed.js';
import { createTableMessages, deleteTableMessage, tableComment } from './tables.js';

const tablesFor = (link: string) => [WAY_BACK, wayBackOut(link)];

/** Of those that are there, whichever version of us made them. */
const deletions = (socket: NetlinkSocket): readonly Buffer[] => {
  const tables = tablesFor('');
  const found = observeTables(socket, tables);
  return tables.filter((_, at) => found[at]).map(deleteTableMessage);
};

/** The hook for what an interface sends is as old as Linux 5.16. */
const explained = (work: () => void): void => {
  try {
    work();
  } catch (error) {
    if (!failedWith(error, EOPNOTSUPP)) throw error;
    throw notImplemented(
      'this host cannot run tasks of services whose ports all nodes publish, because its kernel has no firewall for what an interface sends: run Linux 5.16 or newer with NETFILTER_EGRESS, or publish with mode=host',
      error,
    );
  }
};

export const writeWayBack = ({ ns, link }: WayBackObject): void =>
  inSandbox(ns, (socket) => {
    const made = tablesFor(link).flatMap((table) => createTableMessages(table, UNOWNED));
    explained(() => socket.request(batch([...deletions(socket), ...made]), `nftables way back in ${ns}`));
  });

export const dropWayBack = ({ ns }: WayBackObject): void =>
  inSandbox(ns, (socket) => {
    const messages = deletions(socket);
    if (messages.length > 0) socket.request(batch(messages), `nftables way back in ${ns}`);
  });

/** The interface that it is made for; empty: something of it is not as this version makes it; undefined: there is none. */
export const readWayBack = (ns: string): string | undefined =>
  withSocket(NETLINK.NETFILTER, ns, (socket) => {
    const there = observeTables(socket, tablesFor(''));
    if (there.every((table) => !table)) return undefined;
    const [link = ''] = there[1] ? chainNames(socket, wayBackOut('')) : [];
    const wanted = tablesFor(link);
    return there.every((table, at) => wanted[at] && table?.comment === tableComment(wanted[at])) ? link : '';
  });

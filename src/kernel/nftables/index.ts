/**
 * Our nftables tables in one namespace. The socket stays open: it owns the tables where the kernel knows owners, so
 * nobody else's flush opens the firewall. Invariant: from the first `ensure` until `drop` there is no moment without
 * the static rules and the elements that were added, daemon or no daemon.
 */
import { RULESET, setOf } from '../../firewall/ruleset.js';
import { sandboxTable } from '../../firewall/sandbox.js';
import type { ElementObject } from '../../plan/objects.js';
import { NETLINK, NetlinkSocket, withSocket } from '../netlink.js';
import type { Nftables } from '../nftables.contract.js';
import { changeElements } from './change.js';
import { decodeElements, getMessage, sameElement } from './elements.js';
import { dropTables, loadTable } from './load.js';
import { batch } from './messages.js';
import { dumpSet, unlessAbsent } from './observed.js';
import { createTableMessages, deleteTableMessage, tableMessage } from './tables.js';

const allElements = (socket: NetlinkSocket): ElementObject[] =>
  RULESET.flatMap(({ family, sets }) =>
    family === 'ip'
      ? []
      : sets.filter(({ learned }) => !learned).flatMap(({ name }) => dumpSet(socket, family, name)),
  );

const present = (socket: NetlinkSocket, element: ElementObject): boolean => {
  const { family, set } = element;
  if (setOf(family, set) === undefined) return false;
  const replies = unlessAbsent(() => socket.request([getMessage(element)], `nftables get ${family} ${set}`));
  return decodeElements(family, set, replies ?? []).some((found) => sameElement(found, element));
};

/** The tables of namespace `ns`. The socket opens at first use; the netlink port it gets is the tables' owner. */
export const createNftables = (ns = 'host'): Nftables => {
  let opened: NetlinkSocket | undefined;
  const socket = (): NetlinkSocket => {
    opened ??= NetlinkSocket.open(NETLINK.NETFILTER, ns);
    return opened;
  };
  return {
    ensure: () => {
      for (const table of RULESET) loadTable(socket(), table);
    },
    apply: (changes) => changeElements(socket(), changes),
    elements: () => allElements(socket()),
    has: (element) => present(socket(), element),
    drop: () => dropTables(socket(), RULESET),
    close: () => {
      opened?.close();
      opened = undefined;
    },
  };
};

/**
 * In the sandbox at `ns`, leads 127.0.0.11:53 to the resolver's ports there. Repeatable: a restarted daemon brings new
 * ports. The container's own tables are not touched. 0.3 ms.
 */
export const sandboxRedirect = (ns: string, ports: { readonly udp: number; readonly tcp: number }): void => {
  const table = sandboxTable(ports);
  const afresh = [tableMessage(table, 0), deleteTableMessage(table), ...createTableMessages(table, 0)];
  withSocket(NETLINK.NETFILTER, ns, (socket) => socket.request(batch(afresh), `nftables redirect in ${ns}`));
};

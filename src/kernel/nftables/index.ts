/**
 * Our nftables tables in one namespace. The socket stays open: it owns the tables where the kernel knows owners, so
 * nobody else's flush opens the firewall. Invariant: from the first `ensure` until `drop` there is no moment without
 * the static rules and the elements that were added, daemon or no daemon.
 */
import { RULESET, setOf } from '../../firewall/ruleset.js';
import type { ElementObject } from '../../plan/objects.js';
import { NETLINK, NetlinkSocket } from '../netlink.js';
import type { Nftables } from '../nftables.contract.js';
import { changeElements } from './change.js';
import { decodeElements, getMessage, sameElement } from './elements.js';
import { dropTables, loadTable } from './load.js';
import { dumpSet, unlessAbsent } from './observed.js';
import { TiedChains } from './tied.js';

const allElements = (socket: NetlinkSocket): ElementObject[] =>
  RULESET.flatMap(({ family, sets }) =>
    sets.filter(({ learned }) => !learned).flatMap(({ name }) => dumpSet(socket, family, name)),
  );

const present = (socket: NetlinkSocket, element: ElementObject): boolean => {
  const { family, set } = element;
  if (setOf(family, set) === undefined) return false;
  const replies = unlessAbsent(() => socket.request([getMessage(element)], `nftables get ${family} ${set}`));
  return decodeElements(family, set, replies ?? []).some((found) => sameElement(found, element));
};

/** The tables of namespace `ns`. The socket opens at first use; the netlink port it gets is the tables' owner. */
export const createNftables = (ns = 'host'): Nftables => {
  const tied = new TiedChains();
  let opened: NetlinkSocket | undefined;
  const socket = (): NetlinkSocket => {
    opened ??= NetlinkSocket.open(NETLINK.NETFILTER, ns);
    return opened;
  };
  return {
    ensure: () => {
      for (const table of RULESET) {
        loadTable(socket(), table);
        tied.settle(socket(), table);
      }
    },
    apply: (changes) => changeElements(socket(), tied, changes),
    elements: () => allElements(socket()),
    has: (element) => present(socket(), element),
    drop: () => dropTables(socket(), RULESET),
    close: () => {
      opened?.close();
      opened = undefined;
    },
  };
};

export { type ForeignDrop, foreignDrops } from './foreign.js';
export { type SandboxRedirect, sandboxRedirect } from './sandbox.js';

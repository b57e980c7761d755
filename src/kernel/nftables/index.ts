/**
 * Our nftables tables in one namespace. The socket stays open: it owns the tables where the kernel knows owners, so
 * nobody else's flush opens the firewall. Invariant: from the first `ensure` until `drop` there is no moment without
 * the static rules and the elements that were added, daemon or no daemon.
 */
import { RULESET } from '../../firewall/ruleset.js';
import { NETLINK, NetlinkSocket } from '../netlink.js';
import type { Nftables } from '../nftables.contract.js';
import { changeElements } from './change.js';
import { isThere, tableContents } from './contents.js';
import { dropTables, loadTable } from './load.js';
import { TiedChains } from './tied.js';

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
    elements: () => RULESET.flatMap((table) => tableContents(socket(), table)),
    has: (element) => isThere(socket(), element),
    drop: () => dropTables(socket(), RULESET),
    close: () => {
      opened?.close();
      opened = undefined;
    },
  };
};

export { type ForeignDrop, foreignDrops } from './foreign.js';
export { type SandboxRedirect, sandboxRedirect } from './sandbox.js';

/**
 * Our nftables tables in one namespace. The socket stays open: it owns the tables where the kernel knows owners, so
 * nobody else's flush opens the firewall. Invariant: from the first `ensure` until `drop` there is no moment without
 * the static rules and the elements that were added, daemon or no daemon.
 */
import { RULESET } from '../../firewall/ruleset.js';
import { hostSocket, NETLINK, NetlinkSocket } from '../netlink.js';
import type { Nftables } from '../nftables.contract.js';
import { changeElements } from './change.js';
import { isThere, tableContents } from './contents.js';
import { dropped } from './dropped.js';
import type { Keeper } from './keeper.js';
import { dropTables, loadTable } from './load.js';
import { observeTable } from './observed.js';
import { TiedChains } from './tied.js';

/** The socket that owns the tables already, where a keeper of ours has it; else a new one. */
const open = (ns: string, keeper: Keeper | undefined): NetlinkSocket => {
  if (!keeper) return NetlinkSocket.open(NETLINK.NETFILTER, ns);
  const owners = RULESET.map((table) => observeTable(hostSocket(NETLINK.NETFILTER), table)?.owner ?? 0);
  return keeper.take(owners.find((owner) => owner !== 0) ?? 0) ?? NetlinkSocket.open(NETLINK.NETFILTER, ns);
};

/**
 * The tables of namespace `ns`. The socket opens at first use; the netlink port it gets is the tables' owner. `keeper`: holds
 * it when this process is gone.
 */
export const createNftables = (ns = 'host', keeper?: Keeper): Nftables => {
  const tied = new TiedChains();
  let opened: NetlinkSocket | undefined;
  const socket = (): NetlinkSocket => {
    opened ??= open(ns, keeper);
    return opened;
  };
  return {
    ensure: () => {
      const owned = RULESET.map((table) => {
        const isOwned = loadTable(socket(), table);
        tied.settle(socket(), table);
        return isOwned;
      });
      if (owned.includes(true)) keeper?.hold(socket());
    },
    apply: (changes) => changeElements(socket(), tied, changes),
    elements: () => RULESET.flatMap((table) => tableContents(socket(), table)),
    has: (element) => isThere(socket(), element),
    dropped: () => dropped(socket()),
    drop: () => {
      dropTables(socket(), RULESET);
      keeper?.end();
    },
    close: () => {
      keeper?.close();
      opened?.close();
      opened = undefined;
    },
  };
};

export { foreignDrops } from './foreign.js';
export { Keeper } from './keeper.js';
export { sandboxRedirect } from './sandbox.js';

/** Changing the tables of a sandbox's namespace, which nobody owns: who in the container may change its firewall can break them. */
import { NETLINK, NetlinkSocket } from '../netlink.js';
import { closeLater } from './grace.js';

/** Flags of such a table. */
export const UNOWNED = 0;

/** A namespace that is gone throws ENOENT. */
export const inSandbox = <T>(ns: string, work: (socket: NetlinkSocket) => T): T => {
  const socket = NetlinkSocket.open(NETLINK.NETFILTER, ns);
  try {
    return work(socket);
  } finally {
    closeLater(socket);
  }
};

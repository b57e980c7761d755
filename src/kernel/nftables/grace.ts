/** Closing nfnetlink sockets. */
import type { NetlinkSocket } from '../netlink.js';

/**
 * Milliseconds. The kernel frees what a batch took away after RCU's grace period (10–30 ms), and closing any nfnetlink
 * socket before that waits for it.
 */
const GRACE = 250;

export const closeLater = (socket: NetlinkSocket): void =>
  void setTimeout(() => socket.close(), GRACE).unref();

/** How many connections to a unix socket the kernel knows: the daemon's ends of them, whatever their clients have done. */
import { readFileSync } from 'node:fs';

/** SO_ACCEPTCON of the kernel's `__SO_ACCEPTCON` (include/linux/net.h): the listener itself, not a connection */
const LISTENS = 0x10000;

/** The kernel lists the accepted end of a connection in the network namespace of its client: ours, wherever the daemon is. */
export const openConnections = (path: string): number =>
  readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    // Num RefCount Protocol Flags Type St Inode Path
    .filter((fields) => fields[7] === path && (Number.parseInt(fields[3] ?? '0', 16) & LISTENS) === 0).length;

/** How many connections to a unix socket the kernel knows: the daemon's ends of them, whatever their clients have done. */
import { readFileSync } from 'node:fs';

/** SO_ACCEPTCON of the kernel's `__SO_ACCEPTCON` (include/linux/net.h): the listener itself, not a connection */
const LISTENS = 0x10000;

/** `process`: one in the network namespace of whoever listens. */
export const openConnections = (path: string, process: number | 'self' = 'self'): number =>
  readFileSync(`/proc/${process}/net/unix`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    // Num RefCount Protocol Flags Type St Inode Path
    .filter((fields) => fields[7] === path && (Number.parseInt(fields[3] ?? '0', 16) & LISTENS) === 0).length;

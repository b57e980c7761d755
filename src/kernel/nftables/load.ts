/**
 * Loads the static tables: makes them, adopts those of a former daemon, or replaces those of another version with all
 * their elements. A replacement is one transaction, so packets meet the old rules or the new ones, never none.
 */
import { EINVAL, EOPNOTSUPP, ERESTART, failedWith } from '../../errno.js';
import { unavailable } from '../../errors.js';
import type { HostTable, Table } from '../../firewall/language.js';
import type { NetlinkSocket } from '../netlink.js';
import { NFT_TABLE_F } from './constants.js';
import { changeMessages } from './contents.js';
import { batch } from './messages.js';
import { carriedElements, type ObservedTable, observeTable, readGeneration } from './observed.js';
import { adoptTableMessage, createTableMessages, deleteTableMessage, tableComment } from './tables.js';

/** `owner` alone would take the rules away with a crashed daemon: it is both flags or none. */
const OWNED = NFT_TABLE_F.OWNER | NFT_TABLE_F.PERSIST;
const UNOWNED = 0;
/** Others' transactions between our reading and our writing; behind these many the last one goes unchecked. */
const GENERATION_ATTEMPTS = 4;

/**
 * Makes this socket the owner of a table that a dead process left (the kernel then clears `owner`, `persist` stays), and
 * answers the table's flags behind it. Throws unavailable where another process lives that owns it.
 */
const adopt = (socket: NetlinkSocket, table: Table, observed: ObservedTable): number => {
  const owned = (observed.flags & NFT_TABLE_F.OWNER) !== 0;
  if (owned && observed.owner === socket.port) return observed.flags;
  if (owned)
    throw unavailable(
      `table ${table.family} ${table.name} belongs to another running process (netlink port ${observed.owner}): a network namespace has one Viaduct; stop that one, or start this one in a network namespace of its own (ip netns exec NAME viaductd …)`,
    );
  if ((observed.flags & NFT_TABLE_F.PERSIST) === 0) return observed.flags;
  socket.request(batch([adoptTableMessage(table, OWNED)]), `nftables adopt table ${table.family}`);
  return OWNED;
};

const replacement = (socket: NetlinkSocket, table: HostTable, flags: number): Buffer[] => {
  const old = observeTable(socket, table);
  if (old) adopt(socket, table, old);
  const elements = old ? carriedElements(socket, table) : [];
  return [
    ...(old ? [deleteTableMessage(table)] : []),
    ...createTableMessages(table, flags, elements),
    ...changeMessages(elements.map((element) => ({ op: 'add' as const, element }))).map(
      ({ message }) => message,
    ),
  ];
};

const replace = (socket: NetlinkSocket, table: HostTable, flags: number, attempt = 1): void => {
  const generation = attempt < GENERATION_ATTEMPTS ? readGeneration(socket).id : undefined;
  try {
    socket.request(
      batch(replacement(socket, table, flags), generation),
      `nftables load table ${table.family}`,
    );
  } catch (error) {
    if (generation === undefined || !failedWith(error, ERESTART)) throw error;
    replace(socket, table, flags, attempt + 1);
  }
};

const loadWith = (socket: NetlinkSocket, table: HostTable, flags: number): void => {
  const observed = observeTable(socket, table);
  const adopted = observed && adopt(socket, table, observed);
  if (observed?.comment !== tableComment(table) || adopted !== flags) replace(socket, table, flags);
};

/**
 * Leaves the table as declared, with the elements it had, owned by this socket where the kernel knows owners: answers
 * whether it does.
 */
export const loadTable = (socket: NetlinkSocket, table: HostTable): boolean => {
  try {
    loadWith(socket, table, OWNED);
    return true;
  } catch (error) {
    if (!failedWith(error, EINVAL, EOPNOTSUPP)) throw error;
    loadWith(socket, table, UNOWNED);
    return false;
  }
};

/** Removes the tables that are there, in one transaction. */
export const dropTables = (socket: NetlinkSocket, tables: readonly Table[]): void => {
  const there = tables.filter((table) => {
    const observed = observeTable(socket, table);
    if (observed) adopt(socket, table, observed);
    return observed !== undefined;
  });
  if (there.length > 0) socket.request(batch(there.map(deleteTableMessage)), 'nftables delete tables');
};

/**
 * The redirect of 127.0.0.11:53 in a sandbox's namespace: where it leads, and leading it elsewhere in one transaction of
 * its own tables.
 */
import { ifThere } from '../../errno.js';
import type { Table } from '../../firewall/language.js';
import { type ResolverPorts, SANDBOX, sandboxElements } from '../../firewall/sandbox.js';
import { NETLINK, NetlinkSocket } from '../netlink.js';
import { elementMessages, flushMessage, getMessage } from './elements.js';
import { closeLater } from './grace.js';
import { UNOWNED } from './in-sandbox.js';
import { batch } from './messages.js';
import { dumpSet, observeTables } from './observed.js';
import { createTableMessages, deleteTableMessage, tableComment } from './tables.js';

const encoded = new Map<Table, readonly Buffer[]>();
/** Encoded once: they are the same for every sandbox. */
const tableMessages = (table: Table): readonly Buffer[] => {
  const known = encoded.get(table) ?? createTableMessages(table, UNOWNED);
  encoded.set(table, known);
  return known;
};

/** What must go before the new elements: the old ones, or a table of another version of us. */
const clearing = (table: Table, comment: string): readonly Buffer[] =>
  comment === tableComment(table)
    ? table.sets.map(({ name }) => flushMessage(table.family, name))
    : [deleteTableMessage(table), ...tableMessages(table)];

interface FoundTable {
  readonly table: Table;
  /** undefined: it is not there */
  readonly comment: string | undefined;
}

/** What must be written before the elements. */
const preparing = (found: readonly FoundTable[]): readonly Buffer[] =>
  found.flatMap(({ table, comment }) =>
    comment === undefined ? tableMessages(table) : clearing(table, comment),
  );

/** 0: nowhere. Never more than 256 elements, whatever somebody in the container does to the table. */
const mapped = (socket: NetlinkSocket): ResolverPorts => {
  const found = dumpSet(socket, 'ip', 'resolver');
  const port = (protocol: string): number =>
    Number(found.find(({ key }) => key[0] === protocol)?.data?.[0] ?? 0);
  return { udp: port('udp'), tcp: port('tcp') };
};

/** Queries go there and answers come from there; undefined where somebody took one or the other away. */
const ledTo = (socket: NetlinkSocket): ResolverPorts | undefined => {
  const ports = mapped(socket);
  const hidden = sandboxElements(ports).filter(({ set }) => set === 'hidden');
  const known = ifThere(() => socket.request(hidden.map(getMessage), 'nftables get hidden ports'));
  return known && ports;
};

const write = (socket: NetlinkSocket, ns: string, first: readonly Buffer[], ports: ResolverPorts): void => {
  const elements = sandboxElements(ports).map((element) => ({ op: 'add' as const, element }));
  const additions = elementMessages(elements).map(({ message }) => message);
  socket.request(batch([...first, ...additions]), `nftables redirect in ${ns}`);
};

export interface SandboxRedirect {
  /** the ports of the resolver that a former daemon had here; undefined: there was none, or somebody changed them */
  readonly led: ResolverPorts | undefined;
  /** Leads 127.0.0.11:53 to these ports; nothing to do where it does. */
  lead(ports: ResolverPorts): void;
  close(): void;
}

/**
 * The redirect of the sandbox at `ns`. A restarted daemon that listens where the former one did has nothing to write. The
 * container's own tables are not touched. 0.5 ms.
 */
export const sandboxRedirect = (ns: string): SandboxRedirect => {
  const socket = NetlinkSocket.open(NETLINK.NETFILTER, ns);
  let pending = false;
  const close = (): void => {
    if (pending) closeLater(socket);
    else socket.close();
  };
  try {
    // asked first: the kernel waits for RCU, too, when it takes a refused batch back
    const observed = observeTables(socket, SANDBOX);
    const found = SANDBOX.map((table, index) => ({ table, comment: observed[index]?.comment }));
    const ours = found.every(({ table, comment }) => comment === tableComment(table));
    const led = ours ? ledTo(socket) : undefined;
    const lead = (ports: ResolverPorts): void => {
      if (led && led.udp === ports.udp && led.tcp === ports.tcp) return;
      write(socket, ns, preparing(found), ports);
      pending = found.some(({ comment }) => comment !== undefined);
    };
    return { led, lead, close };
  } catch (error) {
    close();
    throw error;
  }
};

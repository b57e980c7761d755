/** What is in the kernel of our tables: whether they are there, whose they are, and which of their sets are still as declared. */
import { ENOENT, ifThere } from '../../errno.js';
import { KernelError } from '../../errors.js';
import { hasChain } from '../../firewall/balance.js';
import type { HostTable, PortChains, SetDeclaration, Table } from '../../firewall/language.js';
import type { ElementObject } from '../../plan/objects.js';
import { attrStr, attrText, type NetlinkSocket, parseAttributes } from '../netlink.js';
import * as n from './constants.js';
import { decodeElements, dumpMessage } from './elements.js';
import { layoutOf, typeNumber } from './layout.js';
import { NFT_HEADER, nftMessage } from './messages.js';
import { dumpPorts, portFits } from './ports.js';
import { getChainMessage, getTableMessage } from './tables.js';

export interface ObservedTable {
  readonly flags: number;
  /** netlink port of the owner; 0: nobody */
  readonly owner: number;
  /** see `tableComment`; empty where there is none */
  readonly comment: string;
}

const u32 = (attribute: Buffer | undefined): number => attribute?.readUInt32BE(0) ?? 0;

/** Userdata is tag, length, value; the comment is the first of a table. */
const commentOf = (userdata: Buffer | undefined): string =>
  userdata && userdata.length > 2 && userdata[0] === n.UDATA.TABLE_COMMENT
    ? attrText(userdata.subarray(2))
    : '';

/** One question for all; undefined where a table is not there. */
export const observeTables = (
  socket: NetlinkSocket,
  tables: readonly Table[],
): readonly (ObservedTable | undefined)[] => {
  const replies: Buffer[] = [];
  const outcomes = socket.attempt(tables.map(getTableMessage), 'nftables get tables', replies);
  const answers = replies.values();
  return outcomes.map(({ errno, acknowledgement }) => {
    if (errno === ENOENT) return undefined;
    const reply: Buffer | undefined = errno ? undefined : answers.next().value;
    if (!reply) throw new KernelError(errno, 'nftables get tables', acknowledgement);
    const parts = parseAttributes(reply.subarray(NFT_HEADER));
    return {
      flags: u32(parts.get(n.NFTA_TABLE.FLAGS)),
      owner: u32(parts.get(n.NFTA_TABLE.OWNER)),
      comment: commentOf(parts.get(n.NFTA_TABLE.USERDATA)),
    };
  });
};

export const observeTable = (socket: NetlinkSocket, table: Table): ObservedTable | undefined =>
  observeTables(socket, [table])[0];

export const isChainThere = (socket: NetlinkSocket, table: Table, name: string): boolean =>
  ifThere(() => socket.request([getChainMessage(table, name)], `nftables get chain ${name}`)) !== undefined;

/** Names of a table's chains, the static ones too. */
export const chainNames = (socket: NetlinkSocket, { family, name: table }: Table): readonly string[] =>
  socket
    .dump(nftMessage(n.NFT_MSG.GETCHAIN, 0, family), `nftables dump chains ${family}`)
    .map((message) => parseAttributes(message.subarray(NFT_HEADER)))
    .filter((parts) => attrText(parts.get(n.NFTA_CHAIN.TABLE) ?? Buffer.alloc(0)) === table)
    .map((parts) => attrText(parts.get(n.NFTA_CHAIN.NAME) ?? Buffer.alloc(0)));

/**
 * Number of the ruleset's generation, which every transaction of anybody in the namespace raises, and the process of ours that asks, as
 * the kernel tells it to whoever listens: where we are in a PID namespace it is another one than `process.pid`.
 */
export const readGeneration = (socket: NetlinkSocket): { readonly id: number; readonly pid: number } => {
  const [reply] = socket.request([nftMessage(n.NFT_MSG.GETGEN, 0, 'inet')], 'nftables generation');
  const parts = parseAttributes(reply?.subarray(NFT_HEADER) ?? Buffer.alloc(0));
  return { id: u32(parts.get(n.NFTA_GEN.ID)), pid: u32(parts.get(n.NFTA_GEN.PROC_PID)) };
};

export const dumpSet = <F extends Table['family']>(socket: NetlinkSocket, family: F, set: string) =>
  decodeElements(
    family,
    set,
    ifThere(() => socket.dump(dumpMessage(family, set), `nftables dump ${family} ${set}`)) ?? [],
  );

/** The kernel's set has the types that we would give it, so its elements mean what ours mean. */
const asDeclared = (socket: NetlinkSocket, table: Table, set: SetDeclaration): boolean => {
  const message = nftMessage(
    n.NFT_MSG.GETSET,
    0,
    table.family,
    attrStr(n.NFTA_SET.TABLE, table.name),
    attrStr(n.NFTA_SET.NAME, set.name),
  );
  const [reply] = ifThere(() => socket.request([message], `nftables get set ${set.name}`)) ?? [];
  if (!reply) return false;
  const parts = parseAttributes(reply.subarray(NFT_HEADER));
  const verdict = set.data?.[0] === 'verdict';
  const dataType = !set.data ? 0 : verdict ? n.NFT_DATA_VERDICT : typeNumber(set.data);
  return (
    u32(parts.get(n.NFTA_SET.KEY_TYPE)) === typeNumber(set.key) &&
    u32(parts.get(n.NFTA_SET.KEY_LEN)) === layoutOf(set.key).length &&
    u32(parts.get(n.NFTA_SET.DATA_TYPE)) === dataType &&
    ((u32(parts.get(n.NFTA_SET.FLAGS)) & n.NFT_SET.INTERVAL) !== 0) === (set.interval ?? false)
  );
};

/** Elements of a table of any version of us that the given version can carry on with. */
export const carriedElements = (socket: NetlinkSocket, table: HostTable): ElementObject[] => {
  const { family } = table;
  const carried = table.sets
    .filter((set) => !set.learned && asDeclared(socket, table, set))
    .flatMap((set) => {
      const verdicts = set.data?.[0] === 'verdict';
      return dumpSet(socket, family, set.name).filter(({ data = [] }) => !verdicts || hasChain(table, data));
    });
  return [...carried, ...(table.ports ? carriedPorts(socket, table, table.ports) : [])];
};

/** Those on an interface; their rules are written anew, as this version has them. */
const carriedPorts = (socket: NetlinkSocket, table: HostTable, ports: PortChains): readonly ElementObject[] =>
  dumpPorts(socket, { family: table.family, set: ports.name }).filter((each) => portFits(table, ports, each));

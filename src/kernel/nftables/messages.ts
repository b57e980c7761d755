/** nfnetlink messages of nf_tables: each carries the family, and changes travel in one atomic batch. */
import { attrU32be, message, NLM_F } from '../netlink.js';
import { NFNL_BATCH_GENID, NFNL_MSG_BATCH, NFNL_SUBSYS_NFTABLES, NFPROTO } from './constants.js';

export type NftFamily = keyof typeof NFPROTO;

/** `struct nfgenmsg`: family, version 0, resource id (big-endian). */
const nfgenmsg = (family: number, resource = 0): Buffer =>
  Buffer.from([family, 0, resource >> 8, resource & 0xff]);

export const nftMessage = (
  type: number,
  flags: number,
  family: NftFamily,
  ...parts: readonly Buffer[]
): Buffer => message((NFNL_SUBSYS_NFTABLES << 8) | type, flags, nfgenmsg(NFPROTO[family]), ...parts);

/** `add` is idempotent, so it never carries EXCL. Acknowledged each, or an error could not be told from a lost answer. */
export const addMessage = (type: number, family: NftFamily, ...parts: readonly Buffer[]): Buffer =>
  nftMessage(type, NLM_F.CREATE | NLM_F.ACK, family, ...parts);
/** Fails with EEXIST where it is there already. */
export const createMessage = (type: number, family: NftFamily, ...parts: readonly Buffer[]): Buffer =>
  nftMessage(type, NLM_F.CREATE | NLM_F.EXCL | NLM_F.ACK, family, ...parts);
/** Rules are put behind those of their chain. */
export const appendMessage = (type: number, family: NftFamily, ...parts: readonly Buffer[]): Buffer =>
  nftMessage(type, NLM_F.CREATE | NLM_F.APPEND | NLM_F.ACK, family, ...parts);
export const deleteMessage = (type: number, family: NftFamily, ...parts: readonly Buffer[]): Buffer =>
  nftMessage(type, NLM_F.ACK, family, ...parts);

/** Behind the netlink header and nfgenmsg. */
export const NFT_HEADER = 20;

/**
 * The messages as one transaction: all or nothing. With `generation` it fails with ERESTART where the ruleset has changed
 * since that generation was read.
 */
export const batch = (messages: readonly Buffer[], generation?: number): readonly Buffer[] => [
  message(
    NFNL_MSG_BATCH.BEGIN,
    0,
    nfgenmsg(0, NFNL_SUBSYS_NFTABLES),
    ...(generation === undefined ? [] : [attrU32be(NFNL_BATCH_GENID, generation)]),
  ),
  ...messages,
  message(NFNL_MSG_BATCH.END, 0, nfgenmsg(0, NFNL_SUBSYS_NFTABLES)),
];

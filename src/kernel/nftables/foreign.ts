/**
 * Chains of others that drop what containers forward. Every base chain of a hook has to accept a packet, so an accept of
 * ours never overrules them: they can only be reported. Rules of `iptables-legacy` are not nftables and not seen here.
 */
import { TABLE } from '../../firewall/ruleset.js';
import { attrText, message, NETLINK, parseAttributes, withSocket } from '../netlink.js';
import * as n from './constants.js';
import { NFT_HEADER } from './messages.js';

export interface ForeignDrop {
  /** as nft names them: `ip filter FORWARD` */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

/** Families whose forward hook sees containers' packets; `ip6` is 10. */
const FAMILIES: Readonly<Record<number, string>> = { 1: 'inet', 2: 'ip', 7: 'bridge', 10: 'ip6' };

const hookOf = (hook: Buffer | undefined): number =>
  parseAttributes(hook ?? Buffer.alloc(0))
    .get(n.NFTA_HOOK.HOOKNUM)
    ?.readUInt32BE(0) ?? -1;

const asDrop = (reply: Buffer): ForeignDrop[] => {
  const family = FAMILIES[reply.readUInt8(16)];
  const parts = parseAttributes(reply.subarray(NFT_HEADER));
  const [table = '', chain = ''] = [n.NFTA_CHAIN.TABLE, n.NFTA_CHAIN.NAME].map((type) =>
    attrText(parts.get(type) ?? Buffer.alloc(0)),
  );
  const drops =
    hookOf(parts.get(n.NFTA_CHAIN.HOOK)) === n.HOOK.forward &&
    parts.get(n.NFTA_CHAIN.POLICY)?.readUInt32BE(0) === n.VERDICT.drop;
  return drops && family !== undefined && table !== TABLE ? [{ family, table, chain }] : [];
};

/** Base chains of other tables in `ns` that forward nothing by policy (dockerd's and ufw's, say). 0.1 ms. */
export const foreignDrops = (ns = 'host'): readonly ForeignDrop[] =>
  withSocket(NETLINK.NETFILTER, ns, (socket) => {
    const everyFamily = Buffer.alloc(4);
    const request = message((n.NFNL_SUBSYS_NFTABLES << 8) | n.NFT_MSG.GETCHAIN, 0, everyFamily);
    return socket.dump(request, 'nftables dump chains').flatMap(asDrop);
  });

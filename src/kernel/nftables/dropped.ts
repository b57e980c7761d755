/** What the sender guard dropped, by port: the sets that its rules fill and count in (`firewall/guard.ts`). */
import { ifThere } from '../../errno.js';
import { DROPPED, GUARD } from '../../firewall/guard.js';
import { attrText, listAttributes, type NetlinkSocket, parseAttributes } from '../netlink.js';
import type { DroppedAtPort } from '../nftables.contract.js';
import * as n from './constants.js';
import { dumpMessage } from './elements.js';
import { NFT_HEADER } from './messages.js';

const NOTHING = Buffer.alloc(0);
const inside = (attributes: Buffer | undefined, ...path: readonly number[]): Buffer | undefined =>
  path.reduce<Buffer | undefined>((at, type) => parseAttributes(at ?? NOTHING).get(type), attributes);

const elementsOf = (message: Buffer): readonly Buffer[] =>
  listAttributes(inside(message.subarray(NFT_HEADER), n.NFTA_SET_ELEM_LIST.ELEMENTS) ?? NOTHING).map(
    ({ value }) => value,
  );

const portOf = (element: Buffer): string =>
  attrText(inside(element, n.NFTA_SET_ELEM.KEY, n.NFTA_DATA.VALUE) ?? NOTHING);

const packetsOf = (element: Buffer): number =>
  Number(
    inside(element, n.NFTA_SET_ELEM.EXPR, n.NFTA_EXPR.DATA, n.NFTA_COUNTER.PACKETS)?.readBigUInt64BE(0) ?? 0n,
  );

export const dropped = (socket: NetlinkSocket): readonly DroppedAtPort[] =>
  Object.entries(DROPPED).flatMap(([set, reason]) => {
    const request = dumpMessage(GUARD.family, set);
    const messages = ifThere(() => socket.dump(request, `nftables dump ${set}`)) ?? [];
    return messages
      .flatMap(elementsOf)
      .map((element) => ({ port: portOf(element), reason, packets: packetsOf(element) }));
  });

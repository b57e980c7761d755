/** Routes of the main table as rtnetlink messages. Pure. */

import { defined } from '../../defined.js';
import { addressText } from '../../model/address-bytes.js';
import type { AddressObject, RouteObject } from '../../plan/objects.js';
import { AF } from '../ffi.js';
import { attr, attrU32, HEADER, message, NLM_F, parseAttributes } from '../netlink.js';
import { addressOf, familyOf, prefixOf, prefixText, subnetOf } from './inet.js';
import {
  IPV6_CONNECTED_METRIC,
  IPV6_DEFAULT_METRIC,
  RT_SCOPE,
  RT_TABLE_MAIN,
  RTA,
  RTM,
  RTN_LOCAL,
  RTN_UNICAST,
  RTPROT,
} from './numbers.js';

interface RouteHeader {
  readonly family: number;
  readonly length?: number;
  readonly protocol?: number;
  readonly scope?: number;
  readonly type?: number;
}

/** `struct rtmsg` */
const header = ({ family, length = 0, protocol = 0, scope = 0, type = 0 }: RouteHeader): Buffer =>
  Buffer.from([family, length, 0, 0, RT_TABLE_MAIN, protocol, scope, type, 0, 0, 0, 0]);

const body = (o: RouteObject, index: number): readonly Buffer[] => {
  const { bytes, length } = prefixOf(o.destination);
  const attributes = [attrU32(RTA.OIF, index)];
  if (length > 0) attributes.push(attr(RTA.DST, bytes));
  if (o.via !== undefined) attributes.push(attr(RTA.GATEWAY, addressOf(o.via)));
  if (o.metric !== undefined) attributes.push(attrU32(RTA.PRIORITY, o.metric));
  return attributes;
};

/** Protocol `boot`, as everything has that is added by hand and not by a routing daemon. */
const route = (type: number, flags: number, o: RouteObject, index: number): Buffer => {
  const { family, length } = prefixOf(o.destination);
  const scope = o.via === undefined && family === AF.INET ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE;
  return message(
    type,
    NLM_F.ACK | flags,
    header({ family, length, scope, protocol: RTPROT.BOOT, type: RTN_UNICAST }),
    ...body(o, index),
  );
};

export const createRoute = (o: RouteObject, index: number): Buffer =>
  route(RTM.NEWROUTE, NLM_F.CREATE | NLM_F.EXCL, o, index);
/** The route to an address's subnet, as the kernel itself makes it with the address: beside another link's to the same. */
export const createConnectedRoute = (o: AddressObject, index: number): Buffer => {
  const { family, bytes, length } = prefixOf(o.address);
  const own = family === AF.INET ? attr(RTA.PREFSRC, bytes) : attrU32(RTA.PRIORITY, IPV6_CONNECTED_METRIC);
  const scope = family === AF.INET ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE;
  return message(
    RTM.NEWROUTE,
    NLM_F.ACK | NLM_F.CREATE | NLM_F.APPEND,
    header({ family, length, scope, protocol: RTPROT.KERNEL, type: RTN_UNICAST }),
    attr(RTA.DST, subnetOf(bytes, length)),
    attrU32(RTA.OIF, index),
    own,
  );
};

/** What links lead to without a gateway, for `isConnected`. */
export const connectedSubnets = (routes: readonly DumpedRoute[]): ReadonlySet<string> =>
  new Set(routes.filter((r) => r.plain && r.via === undefined).map((r) => `${r.index} ${r.destination}`));

/** True where `address` (with prefix length) has its connected route; one without a subnet needs none. */
export const isConnected = (subnets: ReadonlySet<string>, index: number, address: string): boolean => {
  const { bytes, length } = prefixOf(address);
  if (length === bytes.length * 8) return true;
  return subnets.has(`${index} ${prefixText(subnetOf(bytes, length), length)}`);
};

/** Takes the place of the route with the same destination and metric. */
export const replaceRoute = (o: RouteObject, index: number): Buffer =>
  route(RTM.NEWROUTE, NLM_F.CREATE | NLM_F.REPLACE, o, index);
export const deleteRoute = (o: RouteObject, index: number): Buffer => route(RTM.DELROUTE, 0, o, index);

export const dumpRoutes = (family: number): Buffer => message(RTM.GETROUTE, 0, header({ family }));

/** Where a packet to the address would go. */
export const getRoute = (address: string): Buffer => {
  const bytes = addressOf(address);
  const asked = Buffer.alloc(12);
  asked.writeUInt8(familyOf(bytes));
  asked.writeUInt8(bytes.length * 8, 1);
  return message(RTM.GETROUTE, NLM_F.ACK, asked, attr(RTA.DST, bytes));
};
/** In an answer to `getRoute`: to the host itself. */
export const isLocalRoute = (m: Buffer): boolean => m.readUInt8(HEADER + 7) === RTN_LOCAL;

export interface DumpedRoute {
  readonly family: 4 | 6;
  readonly destination: string;
  readonly index: number;
  readonly via?: string;
  readonly metric?: number;
  readonly protocol: number;
  /** a unicast route of the main table */
  readonly leads: boolean;
  /** one that leads through one link */
  readonly plain: boolean;
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE message. */
export const parseRoute = (m: Buffer): DumpedRoute => {
  const attributes = parseAttributes(m.subarray(HEADER + 12));
  const family = m.readUInt8(HEADER) === AF.INET ? 4 : 6;
  const length = m.readUInt8(HEADER + 1);
  const destination = attributes.get(RTA.DST) ?? Buffer.alloc(family === 4 ? 4 : 16);
  const via = attributes.get(RTA.GATEWAY);
  const metric = attributes.get(RTA.PRIORITY)?.readUInt32LE() ?? 0;
  const isUsual = metric === 0 || (family === 6 && metric === IPV6_DEFAULT_METRIC);
  const table = attributes.get(RTA.TABLE)?.readUInt32LE() ?? m.readUInt8(HEADER + 4);
  const index = attributes.get(RTA.OIF)?.readUInt32LE() ?? 0;
  const leads = table === RT_TABLE_MAIN && m.readUInt8(HEADER + 7) === RTN_UNICAST;
  return {
    family,
    destination: prefixText(destination, length),
    index,
    ...defined({ via: via && addressText(via), metric: isUsual ? undefined : metric }),
    protocol: m.readUInt8(HEADER + 5),
    leads,
    plain: leads && index > 0,
  };
};

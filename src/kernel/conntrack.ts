/**
 * Forgets tracked connections (ctnetlink, `include/uapi/linux/netfilter/nfnetlink_conntrack.h`). A UDP flow keeps the
 * translation it began with for as long as packets come, so after a port was published anew its old flows must go.
 */

import { ENOENT } from '../errno.js';
import { KernelError } from '../errors.js';
import { addressBytes, addressText } from '../model/address-bytes.js';
import type { Protocol } from '../model/port.js';
import { AF } from './ffi.js';
import {
  attr,
  attrU8,
  attrU16be,
  attrU32,
  HEADER,
  message,
  NETLINK,
  type NetlinkSocket,
  NLM_F,
  nested,
  parseAttributes,
  withSocket,
} from './netlink.js';

const CT = { GET: (1 << 8) | 1, DELETE: (1 << 8) | 2 } as const;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, ID: 12, ZONE: 18, FILTER: 25 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;
const CTA_FILTER_ORIG_FLAGS = 1;
/** Fields of the tuple that a filtered dump compares (net/netfilter/nf_internals.h). */
const FILTER = { IP_DST: 1 << 1, PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 } as const;
const IPPROTO: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const DELETES_PER_DATAGRAM = 500;

export interface Flows {
  readonly protocol: Protocol;
  /** original destination ports `port … port+count-1` */
  readonly port: number;
  readonly count: number;
  /** original destination, bare; absent or unspecified (`0.0.0.0`, `::`): any of the family (absent: of both) */
  readonly address?: string;
}

/** `struct nfgenmsg` */
const header = (family: number): Buffer => Buffer.from([family, 0, 0, 0]);

interface Tuple {
  readonly protocol: number;
  readonly port: number;
  /** destination */
  readonly address: string;
  readonly source: string;
}

const parseTuple = (raw: Buffer = Buffer.alloc(0)): Tuple => {
  const tuple = parseAttributes(raw);
  const ip = parseAttributes(tuple.get(CTA_TUPLE.IP) ?? Buffer.alloc(0));
  const proto = parseAttributes(tuple.get(CTA_TUPLE.PROTO) ?? Buffer.alloc(0));
  const text = (v4: number, v6: number): string => {
    const address = ip.get(v4) ?? ip.get(v6);
    return address ? addressText(address) : '';
  };
  return {
    protocol: proto.get(CTA_PROTO.NUM)?.readUInt8() ?? 0,
    port: proto.get(CTA_PROTO.DST_PORT)?.readUInt16BE() ?? 0,
    address: text(CTA_IP.V4_DST, CTA_IP.V6_DST),
    source: text(CTA_IP.V4_SRC, CTA_IP.V6_SRC),
  };
};

/** The kernel (≥ 5.8) compares what `flags` say of the original tuple itself; what it lets through is compared again. */
const dumpMessage = (family: number, flags: number, ...tuple: readonly Buffer[]): Buffer =>
  message(
    CT.GET,
    0,
    header(family),
    nested(CTA.TUPLE_ORIG, ...tuple),
    nested(CTA.FILTER, attrU32(CTA_FILTER_ORIG_FLAGS, flags)),
  );

const portsMessage = (family: number, { protocol, port, count }: Flows): Buffer => {
  const proto = [attrU8(CTA_PROTO.NUM, IPPROTO[protocol])];
  if (count === 1) proto.push(attrU16be(CTA_PROTO.DST_PORT, port));
  const flags = FILTER.PROTO_NUM | (count === 1 ? FILTER.PROTO_DST_PORT : 0);
  return dumpMessage(family, flags, nested(CTA_TUPLE.PROTO, ...proto));
};

const addressMessage = (family: number, address: string): Buffer => {
  const bytes = Buffer.from(addressBytes(address) ?? []);
  const destination = attr(family === AF.INET ? CTA_IP.V4_DST : CTA_IP.V6_DST, bytes);
  return dumpMessage(family, FILTER.IP_DST, nested(CTA_TUPLE.IP, destination));
};

const familiesOf = (address: string | undefined): readonly number[] => {
  if (address === undefined) return [AF.INET, AF.INET6];
  return [address.includes(':') ? AF.INET6 : AF.INET];
};

const UNSPECIFIED: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

const matches = (flows: Flows, tuple: Tuple): boolean =>
  tuple.protocol === IPPROTO[flows.protocol] &&
  tuple.port >= flows.port &&
  tuple.port < flows.port + flows.count &&
  (flows.address === undefined || UNSPECIFIED.has(flows.address) || tuple.address === flows.address);

/** The request that deletes one dumped flow: its tuple, its zone, and its id, lest a successor is hit. */
const deletion = (family: number, attributes: ReadonlyMap<number, Buffer>): Buffer => {
  const parts = [CTA.ID, CTA.ZONE].flatMap((type) => {
    const value = attributes.get(type);
    return value ? [attr(type, value)] : [];
  });
  const tuple = nested(CTA.TUPLE_ORIG, attributes.get(CTA.TUPLE_ORIG) ?? Buffer.alloc(0));
  return message(CT.DELETE, NLM_F.ACK, header(family), tuple, ...parts);
};

/** Deletes those of the dumped flows that are meant; answers how many. */
const forget = (
  socket: NetlinkSocket,
  family: number,
  dump: Buffer,
  isMeant: (original: Tuple, reply: Tuple) => boolean,
): number => {
  const deletions = socket
    .dump(dump, 'conntrack dump')
    .map((m) => parseAttributes(m.subarray(HEADER + 4)))
    .filter((flow) => isMeant(parseTuple(flow.get(CTA.TUPLE_ORIG)), parseTuple(flow.get(CTA.TUPLE_REPLY))))
    .map((flow) => deletion(family, flow));
  for (let at = 0; at < deletions.length; at += DELETES_PER_DATAGRAM) {
    const outcomes = socket.attempt(deletions.slice(at, at + DELETES_PER_DATAGRAM), 'conntrack delete');
    const refused = outcomes.find((o) => o.errno !== 0 && o.errno !== ENOENT);
    if (refused) throw new KernelError(refused.errno, 'conntrack delete', refused.acknowledgement);
  }
  return deletions.length;
};

/**
 * Deletes the host's flows to these ports; answers how many. Call it after the rules were changed. `isLost`: of the bare address
 * that a flow is led to; absent: of any.
 */
export const forgetFlows = (flows: Flows, isLost: (address: string) => boolean = () => true): number =>
  withSocket(NETLINK.NETFILTER, 'host', (socket) =>
    familiesOf(flows.address).reduce(
      (sum, family) =>
        sum +
        forget(
          socket,
          family,
          portsMessage(family, flows),
          (original, reply) => matches(flows, original) && isLost(reply.source),
        ),
      0,
    ),
  );

/**
 * Deletes a sandbox's flows to a service's address that lead to nobody of `stays` (bare addresses); answers how many. Their
 * next packet begins a flow to one that is there, who refuses what he knows nothing of: the connection ends and does not hang.
 */
export const forgetServiceFlows = (ns: string, address: string, stays: ReadonlySet<string>): number =>
  withSocket(NETLINK.NETFILTER, ns, (socket) => {
    const [family = AF.INET] = familiesOf(address);
    return forget(
      socket,
      family,
      addressMessage(family, address),
      (original, reply) => original.address === address && !stays.has(reply.source),
    );
  });

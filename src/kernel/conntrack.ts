/**
 * Forgets tracked connections (ctnetlink, `include/uapi/linux/netfilter/nfnetlink_conntrack.h`). A UDP flow keeps the
 * translation it began with for as long as packets come, so after a port was published anew its old flows must go.
 */

import { ENOENT } from '../errno.js';
import { KernelError } from '../errors.js';
import { addressText } from '../model/address-bytes.js';
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
  NLM_F,
  nested,
  parseAttributes,
  withSocket,
} from './netlink.js';

const CT = { GET: (1 << 8) | 1, DELETE: (1 << 8) | 2 } as const;
const CTA = { TUPLE_ORIG: 1, ID: 12, ZONE: 18, FILTER: 25 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_DST: 2, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;
const CTA_FILTER_ORIG_FLAGS = 1;
/** Fields of the tuple that a filtered dump compares (net/netfilter/nf_internals.h). */
const FILTER = { PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 } as const;
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
  readonly address: string;
}

const parseTuple = (raw: Buffer): Tuple => {
  const tuple = parseAttributes(raw);
  const ip = parseAttributes(tuple.get(CTA_TUPLE.IP) ?? Buffer.alloc(0));
  const proto = parseAttributes(tuple.get(CTA_TUPLE.PROTO) ?? Buffer.alloc(0));
  const address = ip.get(CTA_IP.V4_DST) ?? ip.get(CTA_IP.V6_DST);
  return {
    protocol: proto.get(CTA_PROTO.NUM)?.readUInt8() ?? 0,
    port: proto.get(CTA_PROTO.DST_PORT)?.readUInt16BE() ?? 0,
    address: address ? addressText(address) : '',
  };
};

/** The kernel (≥ 5.8) compares protocol, and a single port, itself; what it lets through is compared again. */
const dumpMessage = (family: number, { protocol, port, count }: Flows): Buffer => {
  const proto = [attrU8(CTA_PROTO.NUM, IPPROTO[protocol])];
  if (count === 1) proto.push(attrU16be(CTA_PROTO.DST_PORT, port));
  const flags = FILTER.PROTO_NUM | (count === 1 ? FILTER.PROTO_DST_PORT : 0);
  return message(
    CT.GET,
    0,
    header(family),
    nested(CTA.TUPLE_ORIG, nested(CTA_TUPLE.PROTO, ...proto)),
    nested(CTA.FILTER, attrU32(CTA_FILTER_ORIG_FLAGS, flags)),
  );
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

/** Deletes the host's flows to these ports; answers how many. Call it after the rules were changed. */
export const forgetFlows = (flows: Flows): number =>
  withSocket(NETLINK.NETFILTER, 'host', (socket) => {
    const deletions = familiesOf(flows.address).flatMap((family) =>
      socket
        .dump(dumpMessage(family, flows), 'conntrack dump')
        .map((m) => parseAttributes(m.subarray(HEADER + 4)))
        .filter((attributes) => matches(flows, parseTuple(attributes.get(CTA.TUPLE_ORIG) ?? Buffer.alloc(0))))
        .map((attributes) => deletion(family, attributes)),
    );
    for (let at = 0; at < deletions.length; at += DELETES_PER_DATAGRAM) {
      const outcomes = socket.attempt(deletions.slice(at, at + DELETES_PER_DATAGRAM), 'conntrack delete');
      const refused = outcomes.find((o) => o.errno !== 0 && o.errno !== ENOENT);
      if (refused) throw new KernelError(refused.errno, 'conntrack delete', refused.acknowledgement);
    }
    return deletions.length;
  });

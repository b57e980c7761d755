/**
 * nftables as plain data: tables, chains, sets and rules that `kernel/nftables/` encodes and `print.ts` writes as nft
 * text. Names are nft's own; whatever is not needed here is not there. Pure data: no functions in it, no handles.
 */

/** Types of key and data fields, by nft's names. Their texts are those that nft prints. */
export type DataType =
  | 'ifname'
  | 'ether_addr'
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'nf_proto'
  | 'mark'
  | 'iface_index'
  | 'devgroup'
  | 'verdict'
  /** 0 and up: which of several an element is, to be drawn by lot */
  | 'slot'
  /** only in matches: names of bits or constants, or hexadecimal bytes */
  | 'ether_type'
  | 'ct_state'
  | 'ct_status'
  | 'fib_addrtype'
  | 'icmpv6_type'
  | 'tcp_flag'
  | 'bytes';

/** What a rule can look at, with the type of what it finds. */
export const FIELDS = {
  'meta nfproto': 'nf_proto',
  'meta protocol': 'ether_type',
  'meta l4proto': 'inet_proto',
  'meta mark': 'mark',
  /** 0: none, as for what the host itself sends */
  'meta iif': 'iface_index',
  /** the link group, which tells our own links by a number */
  'meta iifgroup': 'devgroup',
  'meta oifgroup': 'devgroup',
  iifname: 'ifname',
  oifname: 'ifname',
  'ct state': 'ct_state',
  'ct status': 'ct_status',
  'ct mark': 'mark',
  'fib saddr type': 'fib_addrtype',
  'fib daddr type': 'fib_addrtype',
  /** the type the address has on the interface the packet came by: `local` only where that interface owns it */
  'fib daddr . iif type': 'fib_addrtype',
  'ether saddr': 'ether_addr',
  /** single bytes of MACs, which say by which node of a cluster a frame came (`model/mac.ts`) */
  'ether daddr': 'ether_addr',
  'ether daddr 0-1': 'bytes',
  'ether daddr 2-5': 'bytes',
  'ether saddr 0-1': 'bytes',
  'ether saddr 2-5': 'bytes',
  'ether saddr 4-5': 'bytes',
  'ip saddr': 'ipv4_addr',
  'ip daddr': 'ipv4_addr',
  'ip frag-off': 'bytes',
  'ip6 saddr': 'ipv6_addr',
  'ip6 daddr': 'ipv6_addr',
  /** of IPv6’s fragment header, as nft counts it: without the three bits behind the offset */
  'frag frag-off': 'bytes',
  /** hardware type, protocol type and both lengths */
  'arp format': 'bytes',
  'arp saddr ether': 'ether_addr',
  'arp saddr ip': 'ipv4_addr',
  'icmpv6 type': 'icmpv6_type',
  /** the address a neighbour solicitation or advertisement is about */
  'icmpv6 taddr': 'ipv6_addr',
  'th sport': 'inet_service',
  'th dport': 'inet_service',
  'udp sport': 'inet_service',
  'udp dport': 'inet_service',
  'tcp sport': 'inet_service',
  'tcp dport': 'inet_service',
  'tcp flags': 'tcp_flag',
} as const satisfies Record<string, DataType>;
export type Field = keyof typeof FIELDS;

/** What a packet, or its flow, can be given. The zone is that of the direction in which the flow begins. */
export type Target = 'ct original zone' | 'ct mark' | 'meta mark' | 'ether daddr 2-5';

export type Comparison = '==' | '!=';

export type Statement =
  /** `value` may be a prefix (`127.0.0.0/8`) where the field is an address */
  | { readonly is: 'match'; readonly field: Field; readonly op: Comparison; readonly value: string }
  /** some (`!=`) or none (`==`) of the bits is set; several are joined by `,` */
  | { readonly is: 'bits'; readonly field: Field; readonly op: Comparison; readonly mask: string }
  | {
      readonly is: 'lookup';
      readonly fields: readonly Field[];
      readonly op: Comparison;
      readonly set: string;
    }
  | { readonly is: 'vmap'; readonly fields: readonly Field[]; readonly map: string }
  | { readonly is: 'counter' }
  /** `notrack`: no flow is looked up for it, nor begun; in front of the tracker (priority -300) */
  | { readonly is: 'accept' | 'drop' | 'return' | 'masquerade' | 'notrack' }
  /** the sender is told at once that nobody listens there, by ICMP; `reset`: TCP's own way */
  | { readonly is: 'reject'; readonly reset?: true }
  | { readonly is: 'jump' | 'goto'; readonly chain: string }
  /**
   * to the address, or address and port, that the map answers; no answer: the next rule. `among`: the last field of the map's
   * key is a slot, drawn anew for each flow from so many
   */
  | {
      readonly is: 'dnat' | 'snat';
      readonly family: 4 | 6;
      readonly fields: readonly Field[];
      readonly map: string;
      readonly port: boolean;
      readonly among?: number;
    }
  /** to the same address, at the port that the map answers */
  | { readonly is: 'dnat-port'; readonly fields: readonly Field[]; readonly map: string }
  /** writes a header field and mends the checksum */
  | { readonly is: 'write'; readonly field: Field; readonly value: string }
  /** the same with what the map answers; no answer: the next rule */
  | {
      readonly is: 'write-from';
      readonly field: Field;
      readonly fields: readonly Field[];
      readonly map: string;
    }
  /** what one field has goes, byte by byte, into another that is as long */
  | { readonly is: 'copy'; readonly to: Target; readonly from: Field }
  /** adds the packet's fields to a learned set, or refreshes them */
  | { readonly is: 'learn'; readonly fields: readonly Field[]; readonly set: string };

export interface Rule {
  /** shown by `nft list`; ≤ 127 bytes, without quotes */
  readonly comment: string;
  readonly statements: readonly Statement[];
}

export interface Chain {
  readonly name: string;
  /** absent: a chain that others jump to */
  readonly base?: {
    readonly type: 'filter' | 'nat';
    /** `ingress`: of one interface, before everything else that it receives; `egress`: the last of what it sends; in tables of family netdev */
    readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';
    readonly priority: number;
    readonly device?: string;
    /** sets: the chain is there only while each of them has elements */
    readonly tiedTo?: readonly string[];
  };
  readonly rules: readonly Rule[];
}

/** A set (no `data`) or map. */
export interface SetDeclaration {
  readonly name: string;
  /** one type a field of the key */
  readonly key: readonly DataType[];
  readonly data?: readonly DataType[];
  /** every field of a key may be a range; the key has at least two fields (kernel: pipapo) */
  readonly interval?: boolean;
  /** filled by packets, not by us: seconds an element stays, how many there may be, and whether its packets are counted */
  readonly learned?: { readonly seconds: number; readonly size: number; readonly counted?: true };
  readonly comment: string;
}

/** In an element of `PortChains`. */
export const NO_VALUE = '-';

/**
 * A map of interfaces that is kept as base chains, one an interface, on what that receives: no other interface's packets
 * pay for it, and what is asked most is compared and not looked up. Only in tables of family netdev. The kernel takes a
 * chain along with its interface, or leaves it for the next one of that name (Linux 6.18).
 */
export interface PortChains {
  /** as a set's; an element's key is the interface, which names the chain too */
  readonly name: string;
  readonly priority: number;
  /** names of the fields of an element's data, where `NO_VALUE` may stand; the last ones without value may be absent */
  readonly data: readonly string[];
  /** `$field` stands for the element's; a rule that names a field without value is left out */
  readonly rules: readonly Rule[];
}

/**
 * Chains of one form, one for each number of slots that is drawn from: nft wants that number in the rule. The prefix and the
 * number are a chain's name; it comes with the first element whose verdict leads to it, and is left until the tables are loaded
 * without such elements, because to take a chain away waits for RCU (16 ms).
 */
export interface CountedChains {
  readonly prefix: string;
  /** where `among` is `COUNTED`, the chain has its own number */
  readonly rules: readonly Rule[];
}

export const COUNTED = 0;

export interface Table {
  readonly family: 'inet' | 'bridge' | 'ip' | 'netdev';
  readonly name: string;
  readonly sets: readonly SetDeclaration[];
  readonly chains: readonly Chain[];
  readonly ports?: PortChains;
  readonly counted?: CountedChains;
}

/** A table of the host's, whose elements are kernel objects; a sandbox's tables are made and filled at once. */
export type HostTable = Table & { readonly family: 'inet' | 'bridge' | 'netdev' };

/** An element of a set or map, in the texts of its types; `plan`'s ElementObject is one. */
export interface SetElement {
  readonly family: Table['family'];
  readonly set: string;
  readonly key: readonly string[];
  readonly data?: readonly string[];
}

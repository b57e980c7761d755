/** Numbers of nfnetlink and nf_tables that we use, named as in `include/uapi/linux/netfilter/nf_tables.h` and `nfnetlink.h`. */

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH = { BEGIN: 0x10, END: 0x11 } as const;
export const NFNL_BATCH_GENID = 1;

export const NFT_MSG = {
  NEWTABLE: 0,
  GETTABLE: 1,
  DELTABLE: 2,
  NEWCHAIN: 3,
  GETCHAIN: 4,
  DELCHAIN: 5,
  NEWRULE: 6,
  NEWSET: 9,
  GETSET: 10,
  NEWSETELEM: 12,
  GETSETELEM: 13,
  DELSETELEM: 14,
  GETGEN: 16,
} as const;

/** `enum nf_inet_proto families` of nfgenmsg. */
export const NFPROTO = { inet: 1, ip: 2, netdev: 5, bridge: 7 } as const;
/** `inet`, `ip` and `bridge` number their hooks alike; `ingress` and `egress` are `netdev`'s. */
export const HOOK = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
  ingress: 0,
  egress: 1,
} as const;

export const NFTA_TABLE = { NAME: 1, FLAGS: 2, USERDATA: 6, OWNER: 7 } as const;
/** `owner`: since Linux 5.12, `persist`: since 6.9 (missing in Debian 12's header). */
export const NFT_TABLE_F = { OWNER: 0x2, PERSIST: 0x4 } as const;
export const NFTA_GEN = { ID: 1, PROC_PID: 2 } as const;
export const NFTA_CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, POLICY: 5, TYPE: 7, USERDATA: 12 } as const;
export const NFTA_HOOK = { HOOKNUM: 1, PRIORITY: 2, DEV: 3 } as const;
export const NFTA_RULE = { TABLE: 1, CHAIN: 2, EXPRESSIONS: 4, USERDATA: 7 } as const;
export const NFTA_SET = {
  TABLE: 1,
  NAME: 2,
  FLAGS: 3,
  KEY_TYPE: 4,
  KEY_LEN: 5,
  DATA_TYPE: 6,
  DATA_LEN: 7,
  DESC: 9,
  ID: 10,
  TIMEOUT: 11,
  USERDATA: 13,
} as const;
export const NFT_SET = { INTERVAL: 0x4, MAP: 0x8, TIMEOUT: 0x10, EVAL: 0x20, CONCAT: 0x80 } as const;
export const NFTA_SET_DESC = { SIZE: 1, CONCAT: 2 } as const;
export const NFTA_SET_FIELD_LEN = 1;
export const NFTA_LIST_ELEM = 1;
export const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
export const NFTA_SET_ELEM = { KEY: 1, DATA: 2, EXPR: 7, KEY_END: 10 } as const;
export const NFTA_DATA = { VALUE: 1, VERDICT: 2 } as const;
export const NFT_DATA_VERDICT = 0xffffff00;
export const NFTA_VERDICT = { CODE: 1, CHAIN: 2 } as const;
/** As unsigned numbers: the negative ones of `enum nft_verdicts`, and netfilter's own. */
export const VERDICT = {
  drop: 0,
  accept: 1,
  jump: 0xfffffffd,
  goto: 0xfffffffc,
  return: 0xfffffffb,
} as const;

export const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;
/** Four-byte registers: 0–15 of them, numbered from here. 0 is the verdict register. */
export const NFT_REG32_00 = 8;
export const NFT_REG_VERDICT = 0;
export const NFTA_META = { DREG: 1, KEY: 2, SREG: 3 } as const;
export const NFT_META = {
  PROTOCOL: 1,
  MARK: 3,
  IIF: 4,
  IIFNAME: 6,
  OIFNAME: 7,
  NFPROTO: 15,
  L4PROTO: 16,
  IIFGROUP: 21,
  OIFGROUP: 22,
} as const;
export const NFTA_CT = { DREG: 1, KEY: 2, DIRECTION: 3, SREG: 4 } as const;
export const NFT_CT = { STATE: 0, STATUS: 2, MARK: 3, ZONE: 17 } as const;
/** `nf_conntrack_tuple_common.h` */
export const IP_CT_DIR_ORIGINAL = 0;
export const NFTA_FIB = { DREG: 1, RESULT: 2, FLAGS: 3 } as const;
export const NFT_FIB_RESULT_ADDRTYPE = 3;
export const NFTA_FIB_F = { SADDR: 1, DADDR: 2, IIF: 8 } as const;
export const NFTA_PAYLOAD = {
  DREG: 1,
  BASE: 2,
  OFFSET: 3,
  LEN: 4,
  SREG: 5,
  CSUM_TYPE: 6,
  CSUM_OFFSET: 7,
} as const;
export const NFT_PAYLOAD_BASE = { link: 0, network: 1, transport: 2 } as const;
export const NFT_PAYLOAD_CSUM = { none: 0, inet: 1 } as const;
export const NFTA_EXTHDR = { DREG: 1, TYPE: 2, OFFSET: 3, LEN: 4, OP: 6 } as const;
export const NFT_EXTHDR_OP_IPV6 = 0;
export const NFTA_CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
export const NFT_CMP = { '==': 0, '!=': 1 } as const;
export const NFTA_BITWISE = { SREG: 1, DREG: 2, LEN: 3, MASK: 4, XOR: 5 } as const;
export const NFTA_LOOKUP = { SET: 1, SREG: 2, DREG: 3, FLAGS: 5 } as const;
export const NFT_LOOKUP_F_INV = 1;
export const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;
export const NFTA_NAT = { TYPE: 1, FAMILY: 2, REG_ADDR_MIN: 3, REG_PROTO_MIN: 5 } as const;
export const NFT_NAT = { snat: 0, dnat: 1 } as const;
export const NFTA_NG = { DREG: 1, MODULUS: 2, TYPE: 3 } as const;
export const NFT_NG_RANDOM = 1;
export const NFTA_REJECT = { TYPE: 1, ICMP_CODE: 2 } as const;
export const NFT_REJECT_TCP_RST = 1;
export const NFT_REJECT_ICMPX_UNREACH = 2;
export const NFT_REJECT_ICMPX_PORT_UNREACH = 1;
export const NFTA_DYNSET = { SET_NAME: 1, OP: 3, SREG_KEY: 4, TIMEOUT: 6, EXPR: 7 } as const;
export const NFTA_COUNTER = { PACKETS: 2 } as const;
export const NFT_DYNSET_OP_UPDATE = 1;
export const AF_OF = { 4: 2, 6: 10 } as const;

/** Userdata is ours to fill; these are libnftnl's tags, which make `nft list` show comments and byte orders. */
export const UDATA = {
  TABLE_COMMENT: 0,
  RULE_COMMENT: 0,
  CHAIN_COMMENT: 0,
  SET_KEYBYTEORDER: 0,
  SET_DATABYTEORDER: 1,
  SET_KEY_TYPEOF: 3,
  SET_DATA_TYPEOF: 4,
  SET_COMMENT: 7,
} as const;

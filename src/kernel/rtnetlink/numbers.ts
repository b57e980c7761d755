/** Numbers of rtnetlink: `include/uapi/linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `neighbour.h`, `if.h`. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWQDISC: 36,
  GETQDISC: 38,
  NEWTFILTER: 44,
  DELTFILTER: 45,
  GETTFILTER: 46,
  NEWNETCONF: 80,
  NEWNSID: 88,
} as const;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  PROTINFO: 12,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  LINK_NETNSID: 37,
} as const;
/** Inside IFLA_LINKINFO. */
export const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
/** Inside IFLA_INFO_SLAVE_DATA of a bridge's port. MODE is hairpin. */
export const IFLA_BRPORT = { MODE: 4, LEARNING: 8, NEIGH_SUPPRESS: 32, ISOLATED: 33 } as const;
/** Inside IFLA_INFO_DATA of a veth. */
export const VETH_INFO_PEER = 1;
/** Inside IFLA_INFO_DATA of a macvlan: `enum macvlan_mode`. */
export const IFLA_MACVLAN_MODE = 1;
export const MACVLAN_MODE = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
/** Inside IFLA_INFO_DATA of an ipvlan: `enum ipvlan_mode`, IPVLAN_F_PRIVATE, IPVLAN_F_VEPA. */
export const IFLA_IPVLAN = { MODE: 1, FLAGS: 2 } as const;
export const IPVLAN_MODE = { l2: 0, l3: 1, l3s: 2 } as const;
export const IPVLAN_FLAG = { bridge: 0, private: 1, vepa: 2 } as const;
/** Inside IFLA_INFO_DATA of a vlan; without IFLA_VLAN_PROTOCOL it is 802.1q. */
export const IFLA_VLAN_ID = 1;
/** Inside IFLA_INFO_DATA of a VXLAN device. Addresses and the port are in the network's byte order. */
export const IFLA_VXLAN = { ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17 } as const;
/** Inside IFLA_AF_SPEC / AF_INET6; 1 is IN6_ADDR_GEN_MODE_NONE. */
export const IFLA_INET6_ADDR_GEN_MODE = 8;
/** Leaves the statistics out of an answer. */
export const RTEXT_FILTER_SKIP_STATS = 8;

export const IFF_UP = 1;

export const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, PROTO: 11 } as const;
/** IFA_PROTO of a link-local address that the kernel derived from the MAC. */
export const IFAPROT_KERNEL_LL = 3;
export const IFA_F_NODAD = 0x02;

export const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15 } as const;
export const RT_TABLE_MAIN = 254;
export const RTPROT = { KERNEL: 2, BOOT: 3 } as const;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RT_SCOPE = { UNIVERSE: 0, LINK: 253 } as const;
/** What IPv6 routes get where no metric is given (IP6_RT_PRIO_USER). */
export const IPV6_DEFAULT_METRIC = 1024;
/** What the kernel's own routes to the subnets of addresses have (IP6_RT_PRIO_ADDRCONF). */
export const IPV6_CONNECTED_METRIC = 256;

export const NDA = { DST: 1, LLADDR: 2, MASTER: 9 } as const;
export const NUD = { REACHABLE: 0x02, STALE: 0x04, NOARP: 0x40, PERMANENT: 0x80 } as const;
export const NTF = { SELF: 0x02, MASTER: 0x04 } as const;

export const AF_BRIDGE = 7;

/** What rules of several hooks ask of a packet. */
import * as s from '../statements.js';

export const v4 = s.match('meta nfproto', 'ipv4');
export const v6 = s.match('meta nfproto', 'ipv6');
export const established = s.anyBit('ct state', 'established,related');
/** Of no flow that the kernel knows or would begin: NAT passes it by. */
export const invalid = s.anyBit('ct state', 'invalid');
export const translated = s.anyBit('ct status', 'dnat');
export const untracked = { is: 'notrack' } as const;
export const notLoopback = s.match('iifname', 'lo', '!=');
export const tcp = s.match('meta l4proto', 'tcp');
export const udp = s.match('meta l4proto', 'udp');
export const port = ['meta l4proto', 'th dport'] as const;

/** Numbers by which one namespace knows another, as rtnetlink messages. Pure. */
import { attr, message, NLM_F } from '../netlink.js';
import { RTM } from './numbers.js';

/** `include/uapi/linux/net_namespace.h`; -1: any number that is free */
const NETNSA = { NSID: 1, FD: 3 } as const;
const ANY = -1;

const int32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeInt32LE(value);
  return out;
};

/** Numbers the namespace behind the descriptor; one that has a number keeps it (EEXIST). */
export const numberNamespace = (descriptor: number): Buffer =>
  message(
    RTM.NEWNSID,
    NLM_F.ACK,
    Buffer.alloc(4), // struct rtgenmsg, padded
    attr(NETNSA.NSID, int32(ANY)),
    attr(NETNSA.FD, int32(descriptor)),
  );

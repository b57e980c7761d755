/**
 * Filters on what a port receives: the clsact qdisc and one BPF program on it, as rtnetlink messages; and what others hung on the port.
 * Pure. Numbers are those of `include/uapi/linux/pkt_sched.h` and `pkt_cls.h`.
 */
import { attrStr, attrText, attrU32, HEADER, message, NLM_F, nested, readAttribute } from '../netlink.js';
import { RTM } from './numbers.js';

const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
/** The program's answer is the verdict. */
const DIRECT_ACTION = 1;
const PARENT = { ROOT: 0xffffffff, CLSACT: 0xfffffff1, INGRESS: 0xfffffff2, EGRESS: 0xfffffff3 } as const;
const CLSACT_HANDLE = 0xffff0000;
/** The last of all: filters of the administrator's are asked before. */
const PRIORITY = 0xffff;
/** ETH_P_ALL in network order. */
const EVERY_PROTOCOL = 0x0300;
const OUR_HANDLE = 1;
const OUR_NAME = 'viaduct';
/** `struct tcmsg` */
const TCMSG = 20;

const header = (index: number, { handle = 0, parent = 0, info = 0 }): Buffer => {
  const out = Buffer.alloc(TCMSG);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(handle, 8);
  out.writeUInt32LE(parent, 12);
  out.writeUInt32LE(info, 16);
  return out;
};

const OURS = {
  handle: OUR_HANDLE,
  parent: PARENT.INGRESS,
  info: ((PRIORITY << 16) | EVERY_PROTOCOL) >>> 0,
} as const;

/** EEXIST: somebody has made it already. */
export const createClsact = (index: number): Buffer =>
  message(
    RTM.NEWQDISC,
    NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL,
    header(index, { handle: CLSACT_HANDLE, parent: PARENT.CLSACT }),
    attrStr(TCA.KIND, 'clsact'),
  );

/** In place of what was there under our priority and handle, a former daemon's. */
export const putFilter = (index: number, program: number): Buffer =>
  message(
    RTM.NEWTFILTER,
    NLM_F.ACK | NLM_F.CREATE,
    header(index, OURS),
    attrStr(TCA.KIND, 'bpf'),
    nested(
      TCA.OPTIONS,
      attrU32(TCA_BPF.FD, program),
      attrStr(TCA_BPF.NAME, OUR_NAME),
      attrU32(TCA_BPF.FLAGS, DIRECT_ACTION),
    ),
  );
/** ENOENT and EINVAL: it is not there. */
export const dropFilter = (index: number): Buffer =>
  message(RTM.DELTFILTER, NLM_F.ACK, header(index, OURS), attrStr(TCA.KIND, 'bpf'));
export const getFilter = (index: number): Buffer =>
  message(RTM.GETTFILTER, NLM_F.ACK, header(index, OURS), attrStr(TCA.KIND, 'bpf'));

/** The answer is an echo of what all listeners hear; nothing comes of an interface that was never up. */
export const getRootQdisc = (index: number): Buffer =>
  message(RTM.GETQDISC, NLM_F.ACK | NLM_F.ECHO, header(index, { parent: PARENT.ROOT }));
/** A dump: filters on what the port sends. */
export const dumpEgress = (index: number): Buffer =>
  message(RTM.GETTFILTER, 0, header(index, { parent: PARENT.EGRESS }));

export const portOf = (m: Buffer): number => m.readInt32LE(HEADER + 4);
export const kindIn = (m: Buffer): string =>
  attrText(readAttribute(m, HEADER + TCMSG, TCA.KIND) ?? Buffer.alloc(0));

/** Listens to nftables transactions that are not ours. Where some may not have been heard, the tables are suspect. */
import { type EventSocket, listen } from './listen.js';
import { HEADER, messageType, NETLINK, parseAttributes, splitMessages } from './netlink.js';

/** `include/uapi/linux/netfilter/nfnetlink.h` */
const NFNLGRP_NFTABLES = 7;
/** Closes each transaction and names the process that made it. */
const NFT_MSG_NEWGEN = (10 << 8) | 15;
const NFTA_GEN_PROC_PID = 2;
const COALESCE_MS = 50;

const isForeign = (m: Buffer): boolean =>
  parseAttributes(m.subarray(HEADER + 4))
    .get(NFTA_GEN_PROC_PID)
    ?.readUInt32BE() !== process.pid;

export class TablesWatch {
  readonly #socket: EventSocket;
  /** messages lost when we last looked */
  #dropped = 0;
  #changed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly onDrift: () => void) {
    this.#socket = listen({
      protocol: NETLINK.NETFILTER,
      groups: [NFNLGRP_NFTABLES],
      hear: (datagram) => {
        const ends = splitMessages(datagram).filter((m) => messageType(m) === NFT_MSG_NEWGEN);
        if (ends.length > 0) this.#suspect(ends.some(isForeign));
      },
      lost: () => this.#suspect(true),
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  /** Behind transactions of our own, too, it is asked whether others' were lost. */
  #suspect(changed: boolean): void {
    this.#changed ||= changed;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const dropped = this.#socket.dropped();
      const drifted = this.#changed || dropped !== this.#dropped;
      this.#dropped = dropped;
      this.#changed = false;
      if (drifted) this.onDrift();
    }, COALESCE_MS);
  }
}

/** Listens to nftables transactions that are not ours. Where some may not have been heard, the tables are suspect. */
import type { ByteTest } from './byte-tests.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, NETLINK, parseAttributes, splitMessages, withSocket } from './netlink.js';
import { NFTA_GEN } from './nftables/constants.js';
import { readGeneration } from './nftables/observed.js';

/** `include/uapi/linux/netfilter/nfnetlink.h` */
const NFNLGRP_NFTABLES = 7;
/** Closes each transaction and names the process that made it: `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN`, in a datagram of its own. */
const NEWGEN: readonly ByteTest[] = [
  { offset: 4, is: 15 },
  { offset: 5, is: 10 },
];
const COALESCE_MS = 50;

const processOf = (m: Buffer): number | undefined =>
  parseAttributes(m.subarray(HEADER + 4))
    .get(NFTA_GEN.PROC_PID)
    ?.readUInt32BE();

export class TablesWatch {
  readonly #socket: EventSocket;
  /** messages lost when we last looked */
  #dropped = 0;
  #changed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly onDrift: () => void) {
    const own = withSocket(NETLINK.NETFILTER, 'host', readGeneration).pid;
    this.#socket = listen({
      protocol: NETLINK.NETFILTER,
      groups: [NFNLGRP_NFTABLES],
      only: NEWGEN,
      hear: (datagram) => this.#suspect(splitMessages(datagram).some((m) => processOf(m) !== own)),
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

/**
 * Watches the host's sysctls without which packets do not pass. Of forwarding the kernel tells (RTM_NEWNETCONF), so it is
 * looked at within 70 ms. Of `route_localnet` it does not, and a file watch misses whoever has mounted a /proc of his own
 * (containers on the host's network): those are read again and again through descriptors that stay open, 3 µs each,
 * where to open one takes twenty times as long.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { createPace } from '../pace.js';
import type { SysctlObject } from '../plan/objects.js';
import type { ByteTest } from './byte-tests.js';
import type { Drift } from './contract.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, NETLINK } from './netlink.js';
import { RTM } from './rtnetlink/numbers.js';

/** `include/uapi/linux/rtnetlink.h` */
const RTNLGRP = { IPV4_NETCONF: 24, IPV6_NETCONF: 25 } as const;
/** `include/uapi/linux/netconf.h`: behind `struct netconfmsg`, one byte and its padding. */
const NETCONF_HEADER = 4;
const NETCONFA_FORWARDING = 2;

const COALESCE_MS = 50;
/** Less than the second within which what others change is repaired. */
const LOOK_MS = 800;
const LONGEST_VALUE = 64;

const isUntold = ({ path }: SysctlObject): boolean => path.endsWith('/route_localnet');

/** Where the kernel writes the first two attributes: of which interface it speaks, and whether that forwards. */
const IFINDEX = HEADER + NETCONF_HEADER;
const FORWARDING = IFINDEX + 8;

/** What says that forwarding is off; of every interface that comes the kernel tells too. */
const NOT_FORWARDING: readonly ByteTest[] = [
  { offset: 4, is: RTM.NEWNETCONF },
  { offset: FORWARDING + 2, is: NETCONFA_FORWARDING },
  { offset: FORWARDING + 4, is: 0 },
];
/** Of IPv6 only the switch for all interfaces (-1) lets packets pass. */
const NOWHERE: readonly ByteTest[] = [...NOT_FORWARDING, { offset: IFINDEX + 7, is: 0xff }];

/** Values of sysctls of the host, read through descriptors that are kept. */
class Values {
  readonly #open = new Map<string, number>();
  readonly #buffer = Buffer.alloc(LONGEST_VALUE);

  /** undefined: there is no such sysctl (now) */
  read(path: string): string | undefined {
    const known = this.#open.get(path);
    if (known === undefined) return this.#readAnew(path);
    try {
      return this.#readFrom(known);
    } catch {
      // The interface went, and one of its name may have come.
      this.#close(path);
      return this.#readAnew(path);
    }
  }

  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of [...this.#open.keys()]) if (!paths.has(path)) this.#close(path);
  }

  #readAnew(path: string): string | undefined {
    try {
      const fd = openSync(`/proc/sys/${path}`, 'r');
      this.#open.set(path, fd);
      return this.#readFrom(fd);
    } catch {
      this.#close(path);
      return undefined;
    }
  }

  #readFrom(fd: number): string {
    return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, LONGEST_VALUE, 0)).trim();
  }

  #close(path: string): void {
    const fd = this.#open.get(path);
    this.#open.delete(path);
    if (fd !== undefined) closeSync(fd);
  }
}

export interface SettingsWatchParts {
  /** what must be; the same list as before where nothing has changed */
  readonly wanted: () => readonly SysctlObject[];
  readonly onDrift: (drift: readonly Drift[]) => void;
}

export class SettingsWatch {
  readonly #sockets: readonly EventSocket[];
  readonly #values = new Values();
  #known: readonly SysctlObject[] = [];
  readonly #looking: NodeJS.Timeout;
  /** The first look is at all, as nobody told of what was changed before; not sooner, as to open many files would be in the way of a start. */
  #asked: (object: SysctlObject) => boolean = () => true;
  #soon: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly parts: SettingsWatchParts) {
    this.#sockets = [
      this.#listen(RTNLGRP.IPV4_NETCONF, NOT_FORWARDING),
      this.#listen(RTNLGRP.IPV6_NETCONF, NOWHERE),
    ];
    this.#looking = setInterval(() => {
      void this.#look(this.#asked);
      this.#asked = isUntold;
    }, LOOK_MS).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#soon);
    clearInterval(this.#looking);
    for (const socket of this.#sockets) socket.close();
    this.#values.keepOnly(new Set());
  }

  #listen(group: number, only: readonly ByteTest[]): EventSocket {
    const look = () => this.#lookSoon();
    return listen({ protocol: NETLINK.ROUTE, groups: [group], only, hear: look, lost: look });
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#look(() => true);
    }, COALESCE_MS).unref();
  }

  /** What must be; the descriptors of what need not be any more are let go. */
  #wanted(): readonly SysctlObject[] {
    const wanted = this.parts.wanted();
    if (wanted !== this.#known) this.#values.keepOnly(new Set(wanted.map(({ path }) => path)));
    this.#known = wanted;
    return wanted;
  }

  /**
   * Some in each turn of the loop, as to open one takes long; what is amiss is told in the same turn. What is not there goes with its
   * interface, whose end is told elsewhere.
   */
  async #look(asked: (object: SysctlObject) => boolean): Promise<void> {
    const looked = new Set<string>();
    const pace = createPace();
    while (!this.#closed) {
      const drift: Drift[] = [];
      for (const object of this.#wanted()) {
        if (looked.has(object.path) || !asked(object)) continue;
        const found = this.#values.read(object.path);
        if (found !== undefined && found !== object.value) drift.push({ kind: 'sysctl', object, found });
        looked.add(object.path);
        if (pace.due()) break;
      }
      if (drift.length > 0) this.parts.onDrift(drift);
      if (!pace.due()) return;
      await pace.rest();
    }
  }
}

/**
 * Watches the host's sysctls without which packets do not pass. Of forwarding the kernel tells (RTM_NEWNETCONF), so it is
 * looked at within 50 ms. Of `route_localnet` it does not, and a file watch misses whoever has mounted a /proc of his own
 * (containers on the host's network): those are read again and again through descriptors that stay open, 3 µs each,
 * where to open one takes twenty times as long.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { SysctlObject } from '../plan/objects.js';
import type { Drift } from './contract.js';
import { AF } from './ffi.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, messageType, NETLINK, parseAttributes, splitMessages } from './netlink.js';
import { RTM } from './rtnetlink/numbers.js';

/** `include/uapi/linux/rtnetlink.h` */
const RTNLGRP = { IPV4_NETCONF: 24, IPV6_NETCONF: 25 } as const;
/** `include/uapi/linux/netconf.h`: behind `struct netconfmsg`, one byte and its padding. */
const NETCONF_HEADER = 4;
const NETCONFA = { IFINDEX: 1, FORWARDING: 2 } as const;
const EVERY_INTERFACE = -1;

const COALESCE_MS = 50;
/** Less than the second within which what others change is repaired. */
const LOOK_MS = 800;
const LONGEST_VALUE = 64;

const isUntold = ({ path }: SysctlObject): boolean => path.endsWith('/route_localnet');

/**
 * Does the message say that forwarding is off where it matters? Every interface that comes is told of too. Of IPv6 only
 * the switch for all interfaces lets packets pass.
 */
const tellsOfNoForwarding = (m: Buffer): boolean => {
  if (messageType(m) !== RTM.NEWNETCONF) return false;
  const values = parseAttributes(m.subarray(HEADER + NETCONF_HEADER));
  if (values.get(NETCONFA.FORWARDING)?.readInt32LE() !== 0) return false;
  return m.readUInt8(HEADER) === AF.INET || values.get(NETCONFA.IFINDEX)?.readInt32LE() === EVERY_INTERFACE;
};

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
  /** what must be; asked anew at each look */
  readonly wanted: () => readonly SysctlObject[];
  readonly onDrift: (drift: readonly Drift[]) => void;
}

export class SettingsWatch {
  readonly #socket: EventSocket;
  readonly #values = new Values();
  readonly #looking: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;

  constructor(private readonly parts: SettingsWatchParts) {
    this.#socket = listen({
      protocol: NETLINK.ROUTE,
      groups: Object.values(RTNLGRP),
      hear: (datagram) => {
        if (splitMessages(datagram).some(tellsOfNoForwarding)) this.#lookSoon();
      },
      lost: () => this.#lookSoon(),
    });
    this.#looking = setInterval(() => this.#look(this.#wanted().filter(isUntold)), LOOK_MS).unref();
    this.#lookSoon();
  }

  close(): void {
    clearTimeout(this.#soon);
    clearInterval(this.#looking);
    this.#socket.close();
    this.#values.keepOnly(new Set());
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#look(this.#wanted());
    }, COALESCE_MS).unref();
  }

  /** What must be; the descriptors of what need not be any more are let go. */
  #wanted(): readonly SysctlObject[] {
    const wanted = this.parts.wanted();
    this.#values.keepOnly(new Set(wanted.map(({ path }) => path)));
    return wanted;
  }

  /** What is not there goes with its interface, whose end is told elsewhere. */
  #look(wanted: readonly SysctlObject[]): void {
    const drift = wanted.flatMap((object): Drift[] => {
      const found = this.#values.read(object.path);
      return found === undefined || found === object.value ? [] : [{ kind: 'sysctl', object, found }];
    });
    if (drift.length > 0) this.parts.onDrift(drift);
  }
}

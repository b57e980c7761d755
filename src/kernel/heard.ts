/**
 * The host's links as the kernel last told of them. Notifications carry a link's whole state, so what our own plans
 * changed is recognised without a question to the kernel, which would wait behind every deletion for the rtnl lock (up
 * to 30 ms of the main thread). What was not heard whole is not known here, and is asked for.
 */
import { HEADER, parseAttributes, readAttribute } from './netlink.js';
import { type DumpedLink, isQuiet, linkIndex, parseLink } from './rtnetlink/link.js';
import { AF_BRIDGE, IFLA, IFLA_BRPORT } from './rtnetlink/numbers.js';
import type { Look } from './session.js';

/** `struct ifinfomsg` behind the message's header */
const LINK_HEADER = 16;
const text = (value: Buffer | undefined): string => value?.toString('utf8', 0, value.indexOf(0)) ?? '';

/** The name in an RTM_NEWLINK or RTM_DELLINK message; reading all of it takes ten times as long. */
export const linkName = (m: Buffer): string => text(readAttribute(m, HEADER + LINK_HEADER, IFLA.IFNAME));
export const isPortMessage = (m: Buffer): boolean => m.readUInt8(HEADER) === AF_BRIDGE;

/** A link with the settings of its port that a message of the bridge's own family tells. */
const withPort = (link: DumpedLink, m: Buffer): DumpedLink => {
  const told = readAttribute(m, HEADER + LINK_HEADER, IFLA.PROTINFO);
  if (!told) return link;
  const port = parseAttributes(told);
  const flag = (type: number, known: boolean): boolean =>
    port.has(type) ? port.get(type)?.readUInt8() === 1 : known;
  return {
    ...link,
    hairpin: flag(IFLA_BRPORT.MODE, link.hairpin),
    isolated: flag(IFLA_BRPORT.ISOLATED, link.isolated),
    quiet: port.has(IFLA_BRPORT.LEARNING) ? isQuiet(port) : link.quiet,
  };
};

export class Heard implements Look {
  /** by name: the last message of the whole link and what followed on its port; empty: it is gone */
  readonly #messages = new Map<string, readonly Buffer[]>();

  constructor(private readonly indexes: (name: string) => number) {}

  add(name: string, m: Buffer, gone: boolean): void {
    const known = this.#messages.get(name);
    if (!isPortMessage(m)) this.#messages.set(name, gone ? [] : [m]);
    else if (known && known.length > 0 && !gone) this.#messages.set(name, [known[0] ?? m, m]);
  }

  clear(): void {
    this.#messages.clear();
  }

  /** Was the link's whole state told, or its end? */
  knows(name: string): boolean {
    return this.#messages.has(name);
  }

  /** What was told, and where nothing was what `other` says. */
  or(other: Look): Look {
    const by = (name: string): Look => (this.knows(name) ? this : other);
    return {
      link: (ns, name) => by(name).link(ns, name),
      index: (ns, name) => by(name).index(ns, name),
    };
  }

  link(_: 'host', name: string): DumpedLink | undefined {
    const [whole, ...ports] = this.#messages.get(name) ?? [];
    return whole && ports.reduce(withPort, parseLink(whole));
  }

  index(_: 'host', name: string): number {
    const messages = this.#messages.get(name);
    if (!messages) return this.indexes(name);
    const [whole] = messages;
    return whole ? linkIndex(whole) : 0;
  }
}

/**
 * Listens to what others change: links, addresses, routes and bridges' own entries of the host (rtnetlink groups); for
 * the links of sandboxes that have no end on the host see `sandbox-events.ts`, for nftables `tables-watch.ts`.
 * Events are collected for 50 ms; then the links they name are compared with what our plans made of them (`expected.ts`),
 * so our own changes are not told of. Where events were lost, everything is compared, and routes
 * are reported.
 */
import type { ByteTest } from './byte-tests.js';
import type { Drift } from './contract.js';
import type { Expected } from './expected.js';
import { AF } from './ffi.js';
import { Heard, isPortMessage, linkName } from './heard.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, hostSocket, messagePort, messageType, NETLINK, splitMessages } from './netlink.js';
import { parseAddress } from './rtnetlink/address.js';
import { dumpLinks, linkIndex } from './rtnetlink/link.js';
import { parseNeighbour } from './rtnetlink/neighbour.js';
import { AF_BRIDGE, NUD, RTM } from './rtnetlink/numbers.js';
import { parseRoute } from './rtnetlink/route.js';
import { type Session, withSession } from './session.js';

/** Multicast groups: `include/uapi/linux/rtnetlink.h`. */
const RTNLGRP_NEIGH = 3;
const RTNLGRP = { LINK: 1, IPV4_IFADDR: 5, IPV4_ROUTE: 7, IPV6_IFADDR: 9, IPV6_ROUTE: 11 } as const;
/** Of all that is said of neighbours: entries that do not age are gone, of bridges or VXLAN devices (`struct ndmsg` behind the header). */
const LASTING_ENTRY_GONE: readonly ByteTest[] = [
  { offset: 4, is: RTM.DELNEIGH },
  { offset: HEADER, is: AF_BRIDGE },
  { offset: HEADER + 8, has: NUD.PERMANENT | NUD.NOARP },
];
/** Neighbours that are gone: of those that age too, so it is listened to only where some must not be. */
const neighbourGone = (family: number): readonly ByteTest[] => [
  { offset: 4, is: RTM.DELNEIGH },
  { offset: HEADER, is: family },
];
const COALESCE_MS = 50;

export interface WatchParts {
  readonly expected: Expected;
  /** names that links of ours have on the host */
  readonly isOurs: (name: string) => boolean;
  /** names of the host's interfaces that others' interfaces or ours lie on, whosever they are; asked once a comparison */
  readonly parents: () => ReadonlySet<string>;
  readonly onDrift: (drift: readonly Drift[]) => void;
}

export class Watch {
  /** names of the host's links by index: addresses and routes name them by index */
  readonly #names = new Map<number, string>();
  readonly #heard = new Heard((name) => this.#indexOf(name));
  readonly #touchedLinks = new Set<string>();
  readonly #touchedAddresses = new Set<string>();
  /** bridges and VXLAN devices that lost entries which do not age */
  readonly #touchedEntries = new Set<string>();
  /** links that are not ours: parents may be among them */
  readonly #touchedOthers = new Set<string>();
  /** parents as we last saw them: `index up`; empty: not there */
  readonly #parents = new Map<string, string>();
  /** links and their neighbours */
  readonly #touchedNeighbours = new Map<string, { readonly link: string; readonly address: string }>();
  readonly #sockets: EventSocket[];
  #hearsNeighbours = false;
  #routes = false;
  /** messages lost when we last looked, and whether one was not understood */
  #dropped = 0;
  #lost = false;
  #inside = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: WatchParts) {
    this.#sockets = [
      this.#listen(Object.values(RTNLGRP), (m) => this.#route(m)),
      this.#listen([RTNLGRP_NEIGH], (m) => this.#entryGone(m), LASTING_ENTRY_GONE),
    ];
    this.#learnNames();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) socket.close();
  }

  #listen(groups: readonly number[], hear: (m: Buffer) => void, only: readonly ByteTest[] = []): EventSocket {
    return listen({
      protocol: NETLINK.ROUTE,
      groups,
      only,
      hear: (datagram) => {
        for (const m of splitMessages(datagram)) hear(m);
      },
      lost: () => this.#misheard(),
    });
  }

  #misheard(): void {
    this.#lost = true;
    this.#compareSoon();
  }

  #haveLost(): boolean {
    const now = this.#sockets.reduce((sum, socket) => sum + socket.dropped(), 0);
    const more = now !== this.#dropped;
    this.#dropped = now;
    return more || this.#lost;
  }

  #learnNames(): void {
    this.#names.clear();
    for (const m of hostSocket(NETLINK.ROUTE).dump(dumpLinks(), 'link dump'))
      this.#names.set(linkIndex(m), linkName(m));
  }

  #route(m: Buffer): void {
    const type = messageType(m);
    if (type === RTM.NEWLINK || type === RTM.DELLINK) this.#link(m, type === RTM.DELLINK);
    else if (type === RTM.DELADDR) this.#address(m);
    else if (type === RTM.NEWROUTE || type === RTM.DELROUTE) this.#routeChanged(m);
  }

  /** A renamed link is suspect under both names. Messages of family AF_BRIDGE tell of ports too. */
  #link(m: Buffer, gone: boolean): void {
    const [index, name] = [linkIndex(m), linkName(m)];
    const known = this.#names.get(index);
    if (!isPortMessage(m)) {
      if (gone) this.#names.delete(index);
      else this.#names.set(index, name);
    }
    for (const suspect of new Set([name, known])) {
      if (suspect === undefined) continue;
      const ours = this.parts.isOurs(suspect);
      (ours ? this.#touchedLinks : this.#touchedOthers).add(suspect);
      if (ours) this.#heard.add(suspect, m, gone || suspect !== name);
      this.#compareSoon();
    }
  }

  #indexOf(name: string): number {
    for (const [index, known] of this.#names) if (known === name) return index;
    return 0;
  }

  #address(m: Buffer): void {
    const name = this.#names.get(parseAddress(m).index);
    if (name === undefined || !this.parts.isOurs(name)) return;
    this.#touchedAddresses.add(name);
    this.#compareSoon();
  }

  /** The bridge's own entry, without which it is deaf; a remote endpoint's; or one of a port's, whose loss nobody feels. */
  #entryGone(m: Buffer): void {
    const name = this.#names.get(m.readInt32LE(HEADER + 4));
    if (name === undefined || !this.parts.expected.hasEntries(name)) return;
    this.#touchedEntries.add(name);
    this.#compareSoon();
  }

  /** Routes of the main table, without ours and those that the kernel keeps with our own links. */
  #routeChanged(m: Buffer): void {
    const { plain, index } = parseRoute(m);
    const name = this.#names.get(index);
    const onOurs = name !== undefined && this.parts.isOurs(name);
    const port = messagePort(m);
    if (!plain || (port === 0 ? onOurs : port === hostSocket(NETLINK.ROUTE).port)) return;
    // it may have been the one to the subnet of our address
    if (onOurs) this.#touchedAddresses.add(name);
    this.#routes = true;
    this.#compareSoon();
  }

  /** From the first neighbour on that must stay: who has none is not woken. */
  hearNeighbours(): void {
    if (this.#hearsNeighbours) return;
    this.#hearsNeighbours = true;
    for (const family of [AF.INET, AF.INET6])
      this.#sockets.push(this.#listen([RTNLGRP_NEIGH], (m) => this.#neighbourGone(m), neighbourGone(family)));
  }

  #neighbourGone(m: Buffer): void {
    const { index, address } = parseNeighbour(m);
    const link = this.#names.get(index);
    if (link === undefined || !this.parts.isOurs(link)) return;
    this.#touchedNeighbours.set(`${link} ${address}`, { link, address });
    this.#compareSoon();
  }

  /** A link of ours that has no end on the host may be gone. */
  suspectInside(): void {
    this.#inside = true;
    this.#compareSoon();
  }

  /** A parent that came, went, was made anew, raised or lowered; the first look at one counts as such. */
  #parentChanged(session: Session, name: string): boolean {
    const found = session.link('host', name);
    const now = found ? `${found.index} ${found.up}` : '';
    const before = this.#parents.get(name);
    this.#parents.set(name, now);
    return now !== before;
  }

  #changedParents(session: Session): readonly string[] {
    if (this.#touchedOthers.size === 0) return [];
    const parents = this.parts.parents();
    return [...this.#touchedOthers].filter((name) => parents.has(name) && this.#parentChanged(session, name));
  }

  #compareSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const found = this.#compare();
      if (found.length > 0) this.parts.onDrift(found);
    }, COALESCE_MS);
  }

  #compare(): readonly Drift[] {
    if (this.#haveLost()) this.#suspectEverything();
    const found = withSession((session) => this.#drifted(session));
    if (this.#routes) found.push({ kind: 'route' });
    this.#touchedLinks.clear();
    this.#heard.clear();
    this.#touchedAddresses.clear();
    this.#touchedEntries.clear();
    this.#touchedNeighbours.clear();
    this.#touchedOthers.clear();
    this.#routes = this.#lost = this.#inside = false;
    return found;
  }

  #drifted(session: Session): Drift[] {
    const { expected } = this.parts;
    const links = new Set([
      ...[...this.#touchedLinks].filter(
        (name) => this.#soundsWrong(name) && expected.linkDrifted(session, name),
      ),
      ...expected.deafBridges(session, this.#touchedEntries),
      ...expected.forgetful(session, this.#touchedEntries),
      ...[...this.#touchedNeighbours.values()].flatMap(({ link, address }) =>
        expected.neighbourLost(session, link, address) ? [link] : [],
      ),
    ]);
    const addresses = [...this.#touchedAddresses].filter(
      (name) => !links.has(name) && expected.addressesDrifted(session, name),
    );
    const inside = this.#inside ? expected.insideDrifted(session) : [];
    return [
      ...[...links, ...this.#changedParents(session)].map(
        (name): Drift => ({ kind: 'link', ns: 'host', name }),
      ),
      ...addresses.map((name): Drift => ({ kind: 'address', ns: 'host', name })),
      ...inside.map(({ ns, name }): Drift => ({ kind: 'link', ns, name })),
    ];
  }

  /** The kernel is asked where it did not tell, and before anything is called drift. */
  #soundsWrong(name: string): boolean {
    return !this.#heard.knows(name) || this.parts.expected.linkDrifted(this.#heard, name);
  }

  #suspectEverything(): void {
    this.#heard.clear();
    this.#learnNames();
    this.#inside = true;
    for (const name of [...this.#names.values(), ...this.parts.expected.linkNames, ...this.#parents.keys()]) {
      if (!this.parts.isOurs(name)) {
        this.#touchedOthers.add(name);
        continue;
      }
      this.#touchedLinks.add(name);
      this.#touchedAddresses.add(name);
      this.#touchedEntries.add(name);
    }
    this.#routes = true;
  }
}

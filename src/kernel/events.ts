/**
 * Listens to what others change: links, addresses, routes and bridges' own entries of the host (rtnetlink groups); for
 * the links of sandboxes that have no end on the host see `sandbox-events.ts`, for nftables `tables-watch.ts`.
 * Events are collected for 50 ms; then the links they name are compared with what our plans made of them (`expected.ts`),
 * so our own changes are not told of. Where events were lost, everything is compared, and routes
 * are reported.
 */
import { createPace, type Pace } from '../pace.js';
import type { ByteTest } from './byte-tests.js';
import type { Drift } from './contract.js';
import type { Expected } from './expected.js';
import { AF } from './ffi.js';
import { Heard, isPortMessage, linkName } from './heard.js';
import { linkThere } from './links/index.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, hostSocket, messagePort, messageType, NETLINK, splitMessages } from './netlink.js';
import { parseAddress } from './rtnetlink/address.js';
import { type DumpedLink, dumpLinks, linkIndex } from './rtnetlink/link.js';
import { linkOf, parseNeighbour } from './rtnetlink/neighbour.js';
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
/** Of things that are asked about in one datagram. */
const AT_ONCE = 50;

/** What was told of since the last comparison. */
class Touched {
  readonly links = new Set<string>();
  readonly addresses = new Set<string>();
  /** bridges and VXLAN devices that lost entries which do not age */
  readonly entries = new Set<string>();
  /** links that came: a bridge that is made with its MAC loses the entry for it once, and has it again before it is told of */
  readonly fresh = new Set<string>();
  /** links that are not ours: parents may be among them */
  readonly others = new Set<string>();
  /** links and their neighbours */
  readonly neighbours = new Map<string, { readonly link: string; readonly address: string }>();
  readonly heard: Heard;
  routes = false;
  inside = false;

  constructor(indexes: (name: string) => number) {
    this.heard = new Heard(indexes);
  }
}

/**
 * What `wrong` finds among the items, `size` of them at once and some in each turn of the loop. What is asked and judged in one turn is of
 * one moment; what changes between two is told of, and has a comparison of its own.
 */
const inTurns = async <T, Found>(
  pace: Pace,
  items: Iterable<T>,
  size: number,
  wrong: (session: Session, some: readonly T[]) => readonly Found[],
): Promise<readonly Found[]> => {
  const all = [...items];
  const found: Found[] = [];
  for (let at = 0; at < all.length; at += size) {
    if (pace.due()) await pace.rest();
    found.push(...withSession((session) => wrong(session, all.slice(at, at + size))));
  }
  return found;
};

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
  /** parents as we last saw them: `index up`; empty: not there */
  readonly #parents = new Map<string, string>();
  readonly #sockets: EventSocket[];
  #touched = this.#nothing();
  #hearsNeighbours = false;
  /** messages lost when we last looked, and whether one was not understood */
  #dropped = 0;
  #lost = false;
  #timer: NodeJS.Timeout | undefined;
  #compared: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(private readonly parts: WatchParts) {
    this.#sockets = [
      this.#listen(Object.values(RTNLGRP), (m) => this.#route(m)),
      this.#listen([RTNLGRP_NEIGH], (m) => this.#entryGone(m), LASTING_ENTRY_GONE),
    ];
  }

  /** All links of the host, read since it listens and before the loop has turned: the first look. Of later ones it was told what changed. */
  know(links: readonly Pick<DumpedLink, 'index' | 'name'>[]): void {
    if (this.#names.size > 0) return;
    for (const { index, name } of links) this.#names.set(index, name);
  }

  close(): void {
    this.#closed = true;
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

  /** Of each link by a message that tells it whole. */
  #learnNames(): readonly Buffer[] {
    this.#names.clear();
    const told = hostSocket(NETLINK.ROUTE).dump(dumpLinks(), 'link dump');
    for (const m of told) this.#names.set(linkIndex(m), linkName(m));
    return told;
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
      if (known === undefined) this.#touched.fresh.add(name);
      if (gone) this.#names.delete(index);
      else this.#names.set(index, name);
    }
    for (const suspect of new Set([name, known])) {
      if (suspect === undefined) continue;
      const ours = this.parts.isOurs(suspect);
      (ours ? this.#touched.links : this.#touched.others).add(suspect);
      if (ours) this.#touched.heard.add(suspect, m, gone || suspect !== name);
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
    this.#touched.addresses.add(name);
    this.#compareSoon();
  }

  /** The bridge's own entry, without which it is deaf; a remote endpoint's; or one of a port's, whose loss nobody feels. */
  #entryGone(m: Buffer): void {
    const name = this.#names.get(linkOf(m));
    if (name === undefined || !this.parts.expected.hasEntries(name)) return;
    if (this.#touched.fresh.delete(name)) return;
    this.#touched.entries.add(name);
    this.#compareSoon();
  }

  /** Routes of the main table, without ours and those that the kernel keeps with our own links. */
  #routeChanged(m: Buffer): void {
    const { leads, index } = parseRoute(m);
    const name = this.#names.get(index);
    const onOurs = name !== undefined && this.parts.isOurs(name);
    const port = messagePort(m);
    if (!leads || (port === 0 ? onOurs : port === hostSocket(NETLINK.ROUTE).port)) return;
    // it may have been the one to the subnet of our address
    if (onOurs) this.#touched.addresses.add(name);
    this.#touched.routes = true;
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
    this.#touched.neighbours.set(`${link} ${address}`, { link, address });
    this.#compareSoon();
  }

  /** A link of ours that has no end on the host may be gone. */
  suspectInside(): void {
    this.#touched.inside = true;
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

  #changedParents({ others }: Touched): readonly string[] {
    if (others.size === 0) return [];
    const parents = this.parts.parents();
    const known = [...others].filter((name) => parents.has(name));
    return withSession((session) => known.filter((name) => this.#parentChanged(session, name)));
  }

  #nothing(): Touched {
    return new Touched((name) => this.#indexOf(name));
  }

  #compareSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#compared = this.#compared.then(() => this.#compare());
    }, COALESCE_MS);
  }

  async #compare(): Promise<void> {
    // What our plans have done since, too: else it would seem wrong, and the kernel would be asked.
    for (const socket of this.#sockets) await socket.hearAll();
    if (this.#closed) return;
    if (this.#haveLost()) this.#suspectEverything();
    const touched = this.#touched;
    this.#touched = this.#nothing();
    this.#lost = false;
    const found = await this.#drifted(touched);
    if (found.length > 0 && !this.#closed) this.parts.onDrift(found);
  }

  async #drifted(touched: Touched): Promise<readonly Drift[]> {
    const { expected } = this.parts;
    const { heard, entries } = touched;
    const pace = createPace();
    const links = new Set([
      ...(await inTurns(pace, touched.links, AT_ONCE, (session, names) =>
        names.filter((name) => this.#soundsWrong(heard, name) && expected.linkDrifted(session, name)),
      )),
      ...(await inTurns(pace, entries, AT_ONCE, (session, names) =>
        expected.deafBridges(session, heard.or(session), names),
      )),
      ...(await inTurns(pace, entries, 1, (session, names) =>
        names.filter((name) => expected.isForgetful(session, name)),
      )),
      ...(await inTurns(pace, touched.neighbours.values(), AT_ONCE, (session, neighbours) =>
        neighbours
          .filter(({ link, address }) => expected.neighbourLost(session, link, address))
          .map(({ link }) => link),
      )),
      ...this.#changedParents(touched),
    ]);
    // One look at all of them: each would read all routes.
    const addresses = await inTurns(pace, [[...touched.addresses]], 1, (session, [names = []]) => [
      ...expected.addressesDrifted(session, heard.or(session), names),
    ]);
    const inside = await inTurns(pace, touched.inside ? expected.inside : [], 1, (session, some) =>
      some.filter((o) => !linkThere(session, o)),
    );
    return [
      ...[...links].map((name): Drift => ({ kind: 'link', ns: 'host', name })),
      ...addresses
        .filter((name) => !links.has(name))
        .map((name): Drift => ({ kind: 'address', ns: 'host', name })),
      // What a container changes of its own interface is its own affair.
      ...inside.map(({ ns, name }): Drift => ({ kind: 'link', ns, name })),
      ...(touched.routes ? [{ kind: 'route' } as const] : []),
    ];
  }

  /** The kernel is asked where it did not tell, and before anything is called drift. */
  #soundsWrong(heard: Heard, name: string): boolean {
    return !heard.knows(name) || this.parts.expected.linkDrifted(heard, name);
  }

  #suspectEverything(): void {
    this.#touched.heard.clear();
    for (const m of this.#learnNames()) this.#touched.heard.add(linkName(m), m, false);
    this.#touched.inside = true;
    for (const name of [...this.#names.values(), ...this.parts.expected.linkNames, ...this.#parents.keys()]) {
      if (!this.parts.isOurs(name)) {
        this.#touched.others.add(name);
        continue;
      }
      this.#touched.links.add(name);
      this.#touched.addresses.add(name);
      this.#touched.entries.add(name);
    }
    this.#touched.routes = true;
  }
}

/**
 * What the host's links and addresses are by our own plans: the measure of drift. Kept beside the plans and compared with
 * the kernel when somebody changed something, because notifications do not say reliably who caused them (before Linux 6.2
 * those of links never do, those of IPv6 addresses never).
 */
import {
  type AddressObject,
  type FdbObject,
  type KernelObject,
  type LinkObject,
  type NeighbourObject,
  objectKey,
  type WireguardPeerObject,
} from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import { nearPresent } from './links/index.js';
import { entriesPresent, lackingAddresses, neighbourPresent, withoutLocal } from './look.js';
import { GROUP } from './reaper.js';
import type { Look, Session } from './session.js';

const keep = <T>(all: Map<string, Map<string, T>>, link: string, key: string, o: T): void =>
  void all.set(link, (all.get(link) ?? new Map<string, T>()).set(key, o));

export class Expected {
  readonly #links = new Map<string, LinkObject>();
  readonly #addresses = new Map<string, Map<string, AddressObject>>();
  /** by key */
  readonly #inside = new Map<string, LinkObject>();
  /** entries that do not age, of ports and of what VXLAN devices know, by their names and then by MAC */
  readonly #entries = new Map<string, Map<string, FdbObject>>();
  /** neighbours that bridges answer for, by link and address */
  readonly #neighbours = new Map<string, Map<string, NeighbourObject>>();
  /** of WireGuard interfaces, by link and key */
  readonly peers = new Map<string, Map<string, WireguardPeerObject>>();

  /** A plan that the kernel took, or as if: what was there when we began to watch. */
  follow(plan: Plan): void {
    for (const { op, object } of plan) {
      if (op === 'delete') this.#drop(object);
      else this.#make(object);
    }
  }

  get linkNames(): Iterable<string> {
    return this.#links.keys();
  }

  /** True where the link is not as planned; a name of ours that no plan has must not be there. */
  linkDrifted(look: Look, name: string): boolean {
    const planned = this.#links.get(name);
    if (planned) return !nearPresent(look, planned);
    const found = look.link('host', name);
    return found !== undefined && found.group !== GROUP;
  }

  /** Which of these links lack a planned address, or the route to its subnet. */
  addressesDrifted(session: Session, look: Look, names: Iterable<string>): ReadonlySet<string> {
    const planned = [...names].flatMap((name) => [...(this.#addresses.get(name)?.values() ?? [])]);
    return new Set(lackingAddresses(session, look, planned).map(({ link }) => link));
  }

  /** A bridge of ours. */
  isBridge(name: string): boolean {
    const planned = this.#links.get(name);
    return planned?.type === 'bridge' && planned.owned;
  }

  /** Which of these links are bridges of ours that lost the entry for their own MAC. */
  deafBridges(session: Session, look: Look, names: readonly string[]): readonly string[] {
    return withoutLocal(
      session,
      look,
      names.filter((name) => this.isBridge(name)),
    );
  }

  /** True where a VXLAN device or a bridge has lost entries that it was given for this link. */
  isForgetful(session: Session, link: string): boolean {
    const planned = [...(this.#entries.get(link)?.values() ?? [])];
    return planned.length > 0 && !entriesPresent(session, { ns: 'host', link }, planned);
  }

  /** A link of ours of whose entries the loss matters. */
  hasEntries(name: string): boolean {
    return this.isBridge(name) || this.#entries.has(name);
  }

  get hasNeighbours(): boolean {
    return this.#neighbours.size > 0;
  }

  /** True where the link has lost the neighbour, which it was given. */
  neighbourLost(session: Session, link: string, address: string): boolean {
    const planned = this.#neighbours.get(link)?.get(address);
    return planned !== undefined && !neighbourPresent(session, planned);
  }

  get hasInside(): boolean {
    return this.#inside.size > 0;
  }

  /** Links of our making that lie in a sandbox, with no end on the host. */
  get inside(): readonly LinkObject[] {
    return [...this.#inside.values()];
  }

  #make(o: KernelObject): void {
    if (o.kind === 'link' && o.ns === 'host') this.#links.set(o.name, o);
    else if (o.kind === 'link' && 'parent' in o) this.#inside.set(objectKey(o), o);
    if (o.kind === 'fdb') keep(this.#entries, o.link, o.mac, o);
    if (o.kind === 'neighbour' && o.ns === 'host') keep(this.#neighbours, o.link, o.address, o);
    if (o.kind === 'wireguardPeer') keep(this.peers, o.link, o.key, o);
    if (o.kind !== 'address' || o.ns !== 'host') return;
    keep(this.#addresses, o.link, o.address, o);
  }

  #drop(o: KernelObject): void {
    if (o.kind === 'address' && o.ns === 'host') this.#addresses.get(o.link)?.delete(o.address);
    if (o.kind === 'link') this.#inside.delete(objectKey(o));
    if (o.kind === 'fdb') this.#entries.get(o.link)?.delete(o.mac);
    if (o.kind === 'neighbour' && o.ns === 'host') this.#neighbours.get(o.link)?.delete(o.address);
    if (o.kind === 'wireguardPeer') this.peers.get(o.link)?.delete(o.key);
    if (o.kind !== 'link' || o.ns !== 'host') return;
    this.#links.delete(o.name);
    this.#addresses.delete(o.name);
    this.#entries.delete(o.name);
    this.#neighbours.delete(o.name);
    this.peers.delete(o.name);
  }
}

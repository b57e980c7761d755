/**
 * What the host's links and addresses are by our own plans: the measure of drift. Kept beside the plans and compared with
 * the kernel when somebody changed something, because notifications do not say reliably who caused them (before Linux 6.2
 * those of links never do, those of IPv6 addresses never).
 */
import { type AddressObject, type KernelObject, type LinkObject, objectKey } from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import { linkThere, nearPresent } from './links/index.js';
import { addressConnected, addressPresent, withoutLocal } from './look.js';
import { GROUP } from './reaper.js';
import type { Look, Session } from './session.js';

export class Expected {
  readonly #links = new Map<string, LinkObject>();
  readonly #addresses = new Map<string, Map<string, AddressObject>>();
  /** links of our making that lie in a sandbox, with no end on the host; by key */
  readonly #inside = new Map<string, LinkObject>();

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

  /** True where a planned address of the link is missing, or the route to its subnet. */
  addressesDrifted(session: Session, link: string): boolean {
    return [...(this.#addresses.get(link)?.values() ?? [])].some(
      (o) => !addressPresent(session, o) || !addressConnected(session, o),
    );
  }

  /** A bridge of ours. */
  isBridge(name: string): boolean {
    const planned = this.#links.get(name);
    return planned?.type === 'bridge' && planned.owned;
  }

  /** Which of these links are bridges of ours that lost the entry for their own MAC. */
  deafBridges(session: Session, names: Iterable<string>): readonly string[] {
    return withoutLocal(
      session,
      [...names].filter((name) => this.isBridge(name)),
    );
  }

  get hasInside(): boolean {
    return this.#inside.size > 0;
  }

  /** Links of sandboxes that are gone. What a container changes of its own interface is its own affair. */
  insideDrifted(session: Session): readonly LinkObject[] {
    return [...this.#inside.values()].filter((o) => !linkThere(session, o));
  }

  #make(o: KernelObject): void {
    if (o.kind === 'link' && o.ns === 'host') this.#links.set(o.name, o);
    else if (o.kind === 'link' && 'parent' in o) this.#inside.set(objectKey(o), o);
    if (o.kind !== 'address' || o.ns !== 'host') return;
    const known = this.#addresses.get(o.link) ?? new Map<string, AddressObject>();
    this.#addresses.set(o.link, known.set(o.address, o));
  }

  #drop(o: KernelObject): void {
    if (o.kind === 'address' && o.ns === 'host') this.#addresses.get(o.link)?.delete(o.address);
    if (o.kind === 'link') this.#inside.delete(objectKey(o));
    if (o.kind !== 'link' || o.ns !== 'host') return;
    this.#links.delete(o.name);
    this.#addresses.delete(o.name);
  }
}

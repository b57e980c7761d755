/**
 * Deletes links without waiting for them. A delete waits for RCU (16–32 ms), so a link is taken down at once, which ends
 * its traffic (0.1 ms), and put into one link group; a group is deleted in one request that runs off the main thread.
 * Invariants: a link in `GROUP` is dead to everybody else; at most one request is under way in the process; the group
 * mark lives in the kernel, so what a crash left is swept by the next daemon.
 */
import { ENODEV } from '../errno.js';
import { KernelError } from '../errors.js';
import type { Netns } from '../plan/objects.js';
import { NETLINK, NetlinkSocket } from './netlink.js';
import { changeLink, deleteGroup, deleteLink } from './rtnetlink/link.js';
import { findLink, type Session } from './session.js';

/** The link group (IFLA_GROUP) of links that are to die: "vdct". */
export const GROUP = 0x76646374;

export interface Doomed {
  readonly ns: Netns;
  readonly name: string;
  readonly index: number;
  /** the other end of a veth, which dies with it */
  readonly peer?: { readonly ns: Netns; readonly name: string };
}

interface Pending extends Doomed {
  readonly due: number;
}

/** The kernel takes a dropped namespace's links apart by itself within this time (ms); what is left then is ours. */
export const NAMESPACE_LINGERS = 60;

export class Reaper {
  readonly #pending = new Set<Pending>();
  readonly #sockets = new Map<Netns, NetlinkSocket>();
  #waiting: (() => void)[] = [];
  #timer: { readonly handle: NodeJS.Timeout; readonly due: number } | undefined;
  #busy = false;

  /** Ends the link's traffic and has it deleted, not before `rest` milliseconds. A link that is gone is success. */
  cut(session: Session, doomed: Doomed, rest = 0): void {
    const operation = `link delete ${doomed.name}`;
    const message = changeLink(doomed.index, { up: false, group: GROUP });
    const [outcome] = session.socket(doomed.ns).attempt([message], operation);
    if (outcome?.errno === ENODEV) return;
    // A refusal here (a link that somebody else is moving) is no reason to keep it: the deletion itself decides.
    if (!this.#sockets.has(doomed.ns))
      this.#sockets.set(doomed.ns, NetlinkSocket.open(NETLINK.ROUTE, doomed.ns));
    this.#pending.add({ ...doomed, due: performance.now() + rest });
    this.#schedule();
  }

  /**
   * Frees a name that a dying link still has, by renaming it. False: a living link has the name. The link may vanish
   * under our hands: then the name is free as well.
   */
  evict(session: Session, ns: Netns, name: string): boolean {
    const link = findLink(session.socket(ns), name);
    if (!link) return true;
    // The other end of a dying veth bears no mark; its name alone may by now be that of a successor.
    const peer = [...this.#pending].some((p) => p.peer?.ns === ns && p.index === link.peer);
    if (!peer && link.group !== GROUP) return false;
    session.forget(ns, name);
    // Down first: before Linux 6.2 a link that is up keeps its name.
    const rename = [
      changeLink(link.index, { up: false }),
      changeLink(link.index, { name: `gone${link.index}` }),
    ];
    const refused = session
      .socket(ns)
      .attempt(rename, `link rename ${name}`)
      .find((o) => o.errno !== 0 && o.errno !== ENODEV);
    if (refused) throw new KernelError(refused.errno, `link rename ${name}`, refused.acknowledgement);
    return true;
  }

  /** Deletes what a former daemon had marked and not yet deleted. */
  sweep(): void {
    if (!this.#sockets.has('host')) this.#sockets.set('host', NetlinkSocket.open(NETLINK.ROUTE));
    this.#pending.add({ ns: 'host', name: '', index: 0, due: performance.now() });
    this.#schedule();
  }

  /** True where the link is dying by our hand. */
  owns(ns: Netns, index: number): boolean {
    for (const p of this.#pending) if (p.ns === ns && p.index === index) return true;
    return false;
  }

  /** Resolves when no deletion is under way that concerns `ns` (undefined: anywhere). */
  async settled(ns?: Netns): Promise<void> {
    while ([...this.#pending].some((p) => ns === undefined || p.ns === ns || p.peer?.ns === ns))
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async close(): Promise<void> {
    await this.settled();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #schedule(): void {
    if (this.#busy || this.#pending.size === 0) return;
    const due = Math.min(...[...this.#pending].map((p) => p.due));
    if (this.#timer && this.#timer.due <= due) return;
    if (this.#timer) clearTimeout(this.#timer.handle);
    const handle = setTimeout(() => void this.#reap(), Math.max(0, due - performance.now()));
    this.#timer = { handle, due };
  }

  /** Deletes every marked link of the namespaces that have one due. */
  async #reap(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    try {
      const now = performance.now() + 1;
      for (const ns of new Set([...this.#pending].filter((p) => p.due <= now).map((p) => p.ns))) {
        const marked = [...this.#pending].filter((p) => p.ns === ns);
        await this.#deleteGroup(ns, marked);
        for (const p of marked) this.#pending.delete(p);
        this.#release(ns);
      }
    } finally {
      this.#busy = false;
      const woken = this.#waiting;
      this.#waiting = [];
      for (const wake of woken) wake();
      this.#schedule();
    }
  }

  /** The group first; one by one where the group was refused as a whole. What is refused then keeps its mark. */
  async #deleteGroup(ns: Netns, marked: readonly Pending[]): Promise<void> {
    const socket = this.#sockets.get(ns);
    if (!socket) return;
    const [outcome] = await socket.attemptLater([deleteGroup(GROUP)], 'link delete group');
    if (!outcome?.errno || outcome.errno === ENODEV) return;
    const each = marked.filter((p) => p.index > 0).map((p) => deleteLink(p.index));
    if (each.length > 0) await socket.attemptLater(each, 'link delete');
  }

  /** A socket in a sandbox keeps the sandbox alive: closed as soon as nothing is pending there. */
  #release(ns: Netns): void {
    if (ns === 'host' || [...this.#pending].some((p) => p.ns === ns)) return;
    this.#sockets.get(ns)?.close();
    this.#sockets.delete(ns);
  }
}

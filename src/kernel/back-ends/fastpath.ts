/**
 * Shortcuts past bridges (ADR 39), and the programs that they need, which are loaded while a network has them. Where frames would pass by
 * something that the host's administrator put on a bridge or port, shortcuts are suspended until it is gone; no record changes by it.
 */
import { readFileSync } from 'node:fs';
import { attempt, messageOf } from '../../errors.js';
import { same } from '../../plan/equal.js';
import type { FastpathObject, KernelObject, ShortcutObject } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import { type Loaded, load, PLACE } from '../bpf/loaded.js';
import type { Drift, Suspended } from '../contract.js';
import { type EventSocket, listen } from '../listen.js';
import { hostSocket, messagePort, NETLINK, splitMessages } from '../netlink.js';
import { portOf } from '../rtnetlink/tc.js';
import { withSession } from '../session.js';
import { noFastpath, Shortcuts } from '../shortcuts.js';
import type { BackEnd, Context } from './contract.js';

/** `include/uapi/linux/rtnetlink.h` */
const RTNLGRP_TC = 4;
/** The kernel tells nobody of this sysctl. Less than the second within which what others change is repaired. */
const LOOK_MS = 800;
const BRIDGE_NETFILTER = ['iptables', 'ip6tables'].map(
  (each) => `/proc/sys/net/bridge/bridge-nf-call-${each}`,
);

/** Does br_netfilter show the host's rules what bridges carry? Without the module there are no such files. */
const rulesSeeBridges = (): boolean =>
  BRIDGE_NETFILTER.some((path) => attempt(() => readFileSync(path, 'latin1'))?.trim() === '1');

const RULES_SEE =
  'br_netfilter shows the host’s rules what bridges carry, and they would not see what passes by them: set net.bridge.bridge-nf-call-iptables and -ip6tables to 0, or make the network with viaduct.fastpath=always';

const loadedOrRefused = (): Loaded => {
  try {
    return load();
  } catch (error) {
    throw noFastpath(messageOf(error));
  }
};

/** While there is a network that has it. */
class Open {
  readonly shortcuts: Shortcuts;
  readonly bridges = new Map<string, FastpathObject>();
  readonly #events: EventSocket;
  readonly #looking: NodeJS.Timeout;
  #aside = false;

  constructor(
    private readonly loaded: Loaded,
    private readonly tell: (drift: readonly Drift[]) => void,
  ) {
    this.shortcuts = new Shortcuts(loaded);
    loaded.lead(PLACE.always, true);
    this.#aside = rulesSeeBridges();
    loaded.lead(PLACE.aside, !this.#aside);
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
    this.#events = listen({
      protocol: NETLINK.ROUTE,
      groups: [RTNLGRP_TC],
      hear: (datagram) => this.#hear(datagram),
      lost: () => this.#suspect(this.shortcuts.links),
    });
  }

  suspended(): readonly Suspended[] {
    const aside = [...this.bridges.values()].filter(({ always }) => this.#aside && !always);
    return [
      ...aside.map(({ bridge }) => ({ name: bridge, reason: RULES_SEE })),
      ...this.shortcuts.hung().map(({ link, by }) => ({
        name: link,
        reason: `${by} is on ${link}, and frames past the bridge would not meet it: remove it there`,
      })),
    ];
  }

  close(): void {
    clearInterval(this.#looking);
    this.#events.close();
    this.loaded.close();
  }

  #look(): void {
    const aside = rulesSeeBridges();
    if (aside === this.#aside) return;
    this.loaded.lead(PLACE.aside, !aside);
    this.#aside = aside;
    this.tell([{ kind: 'suspended' }]);
  }

  /** What others did with qdiscs and filters of our ports. */
  #hear(datagram: Buffer): void {
    const own = hostSocket(NETLINK.ROUTE).port;
    const links = new Set<string>();
    for (const m of splitMessages(datagram)) {
      const link = messagePort(m) === own ? undefined : this.shortcuts.linkAt(portOf(m));
      if (link !== undefined) links.add(link);
    }
    this.#suspect([...links]);
  }

  #suspect(links: readonly string[]): void {
    const changed = links.filter((link) => this.shortcuts.review(link));
    const lost = withSession((session) => links.filter((link) => !this.shortcuts.find(session, link)));
    const drift = [
      ...(changed.length > 0 ? [{ kind: 'suspended' } as const] : []),
      ...lost.map((name): Drift => ({ kind: 'link', ns: 'host', name })),
    ];
    if (drift.length > 0) this.tell(drift);
  }
}

type Fast = FastpathObject | ShortcutObject;

class Fastpath implements BackEnd<Fast> {
  #open: Open | undefined;
  #onDrift: (drift: readonly Drift[]) => void = () => {};

  run([step]: readonly Step<Fast>[], { session }: Context, done: (step: Step<Fast>) => void): void {
    if (!step) return;
    const { op, object } = step;
    if (object.kind === 'fastpath') this.#network(op, object);
    else if (op === 'delete') this.#open?.shortcuts.drop(object);
    // Where the kernel refused the program to a later daemon, that is told of the network, and guard and bridge do all.
    else this.#open?.shortcuts.put(session, object);
    done(step);
  }

  observe(said: readonly KernelObject[]): readonly KernelObject[] {
    const open = this.#open;
    return open
      ? [...said, ...open.bridges.values(), ...withSession((session) => open.shortcuts.there(session))]
      : said;
  }

  present(o: Fast): boolean {
    const open = this.#open;
    if (o.kind === 'fastpath') return open?.bridges.has(o.bridge) === true;
    return (
      open !== undefined &&
      same(
        withSession((session) => open.shortcuts.find(session, o.link)),
        o,
      )
    );
  }

  watch(onDrift: (drift: readonly Drift[]) => void): void {
    this.#onDrift = onDrift;
  }

  suspended(): readonly Suspended[] {
    return this.#open?.suspended() ?? [];
  }

  close(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  #network(op: Step['op'], object: FastpathObject): void {
    if (op !== 'delete') {
      this.#open ??= new Open(loadedOrRefused(), (drift) => this.#onDrift(drift));
      this.#open.bridges.set(object.bridge, object);
      return;
    }
    this.#open?.bridges.delete(object.bridge);
    if (this.#open?.bridges.size === 0) this.close();
  }
}

export type FastpathBackEnd = BackEnd<Fast> & { suspended(): readonly Suspended[] };
export const fastpathBackEnd = (): FastpathBackEnd => new Fastpath();

/** The kernel layer put together: `Kernel` of `contract.ts` on Linux, for the namespace the process is in. */
import { serviceOf } from '../plan/depend.js';
import {
  type BackEndName,
  type KernelKind,
  type KernelObject,
  type KindOf,
  kindsOf,
  type ObjectOf,
} from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import { Applier } from './apply.js';
import type { BackEnd, BackEnds } from './back-ends/contract.js';
import { type FastpathBackEnd, fastpathBackEnd } from './back-ends/fastpath.js';
import { flowsBackEnd } from './back-ends/flows.js';
import { type LocalRows, localBackEnd } from './back-ends/local.js';
import { type NetlinkParts, netlinkBackEnd } from './back-ends/netlink.js';
import { nftablesBackEnd } from './back-ends/nftables.js';
import { servicesBackEnd } from './back-ends/services.js';
import { wayBackBackEnd } from './back-ends/way-back.js';
import type { Drift, Kernel, Suspended } from './contract.js';
import type { LinkMaker } from './links/contract.js';
import { processAddresses } from './look.js';
import { rebindNamespace } from './netns.js';
import type { DroppedAtPort, Nftables } from './nftables.contract.js';
import { Reaper } from './reaper.js';

/** Open vSwitch, as far as the kernel layer goes. */
export type OvsBackEnd = BackEnd<ObjectOf<KindOf<'ovs'>>> & LinkMaker;

export interface KernelParts extends NetlinkParts {
  readonly nftables: Nftables;
  readonly hostPorts: LocalRows['hostport'];
  readonly resolvers: LocalRows['resolver'];
  readonly ovs: OvsBackEnd;
  /** may sandboxes have tables of a cluster's services? Asked anew each time; absent: none has */
  readonly services?: () => boolean;
}

class LinuxKernel implements Kernel {
  readonly #reaper = new Reaper();
  readonly #nftables: Nftables;
  readonly #fastpath: FastpathBackEnd = fastpathBackEnd();
  readonly #backEnds: BackEnds;
  readonly #all: readonly BackEnd<KernelObject>[];
  readonly #byKind: ReadonlyMap<KernelKind, BackEnd<KernelObject>>;
  readonly #applier = new Applier((o) => this.#backEndOf(o));

  constructor({ nftables, hostPorts, resolvers, ovs, services = () => false, ...netlink }: KernelParts) {
    this.#nftables = nftables;
    this.#backEnds = {
      ovs,
      netlink: netlinkBackEnd(netlink, this.#reaper, ovs),
      nftables: nftablesBackEnd(nftables),
      services: servicesBackEnd(services),
      wayBack: wayBackBackEnd(services),
      flows: flowsBackEnd(),
      fastpath: this.#fastpath,
      local: localBackEnd({ hostport: hostPorts, resolver: resolvers }),
    };
    /** Each gets the objects of its own kinds alone. */
    const named = Object.entries(this.#backEnds) as [BackEndName, BackEnd<KernelObject>][];
    this.#all = named.map(([, each]) => each);
    this.#byKind = new Map(named.flatMap(([name, each]) => kindsOf(name).map((kind) => [kind, each])));
    this.#reaper.sweep();
  }

  apply(plan: Plan): void {
    this.#applier.apply(plan);
    this.#follow(plan);
  }

  settled(ns?: string): Promise<void> {
    return this.#reaper.settled(ns);
  }

  observe(): readonly KernelObject[] {
    return this.#observe(false);
  }

  present(o: KernelObject): boolean {
    return this.#backEndOf(o).present(o);
  }

  /** Listens first: what changes while we look is heard of. */
  watch(onDrift: (drift: readonly Drift[]) => void): readonly KernelObject[] {
    for (const each of this.#all) each.watch?.(onDrift);
    const there = this.#observe(true);
    this.#follow(there.map((object) => ({ op: 'create', object })));
    return there;
  }

  reachable(o: KernelObject): boolean {
    const service = serviceOf(o);
    return service === undefined || (this.#backEnds[service].reachable?.() ?? true);
  }

  rebind(path: string, pid: number): void {
    rebindNamespace(path, pid);
  }

  addressesOf(pid: number): readonly string[] {
    return processAddresses(pid);
  }

  ensureTables(): void {
    this.#nftables.ensure();
  }

  suspended(): readonly Suspended[] {
    return this.#fastpath.suspended();
  }

  dropped(): readonly DroppedAtPort[] {
    return this.#nftables.dropped();
  }

  dropTables(): void {
    this.#nftables.drop();
  }

  async close(): Promise<void> {
    for (const each of this.#all) await each.close?.();
  }

  #follow(plan: Plan): void {
    for (const each of this.#all) each.follow?.(plan);
  }

  #observe(settings: boolean): readonly KernelObject[] {
    return this.#all.reduce<readonly KernelObject[]>((said, each) => each.observe(said, settings), []);
  }

  /** Every kind is in the table (`BackEnds`). */
  #backEndOf(o: KernelObject): BackEnd<KernelObject> {
    return this.#byKind.get(o.kind) as BackEnd<KernelObject>;
  }
}

export const createKernel = (parts: KernelParts): Kernel => new LinuxKernel(parts);

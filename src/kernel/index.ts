/** The kernel layer put together: `Kernel` of `contract.ts` on Linux, for the namespace the process is in. */
import { existsSync } from 'node:fs';
import { KernelError } from '../errors.js';
import { inOvs } from '../plan/depend.js';
import { same } from '../plan/equal.js';
import {
  type HostPortObject,
  type KernelObject,
  type MovedLink,
  objectKey,
  type ResolverObject,
  type SysctlObject,
} from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import { Applier } from './apply.js';
import { forgetFlows } from './conntrack.js';
import type { Drift, Kernel, LocalObjects } from './contract.js';
import { Watch } from './events.js';
import { createExecutors } from './executors.js';
import { Expected } from './expected.js';
import { linkPresent } from './links/index.js';
import type { EventSocket } from './listen.js';
import { addressPresent, fdbPresent, neighbourPresent, processAddresses, routePresent } from './look.js';
import { isNamespace, rebindNamespace } from './netns.js';
import type { DroppedAtPort, Nftables } from './nftables.contract.js';
import { isOwnName, type NamedBridge, observeLinks } from './observe.js';
import { hasOffload } from './offload.js';
import { ExpectedOvs } from './ovs/expected.js';
import { OpenVswitch } from './ovs/index.js';
import type { OvsInternal } from './ovs/state.js';
import { leaveUplink, takeUplink } from './ovs/uplink.js';
import { OvsWatch } from './ovs/watch.js';
import { Reaper } from './reaper.js';
import { watchSandboxes } from './sandbox-events.js';
import { Session } from './session.js';
import { SettingsWatch } from './settings.js';
import { hasSysctl } from './sysctl.js';

export interface KernelParts {
  readonly nftables: Nftables;
  readonly hostPorts: LocalObjects<HostPortObject>;
  readonly resolvers: LocalObjects<ResolverObject>;
  /** absolute path of the directory in which the sandboxes' namespaces are bound */
  readonly namespaces: string;
  /** bridges of ours, and used by us, that are not called `br-` and twelve digits; asked anew each time */
  readonly bridges?: () => readonly NamedBridge[];
  /** links of plugins that are, or were when the daemon was killed, moved into sandboxes; asked anew each time */
  readonly moved?: () => readonly MovedLink[];
  /** where Open vSwitch has its sockets, and whether any network of ours is on it; absent: nowhere, none */
  readonly ovs?: { readonly runDirectory: string; readonly wanted: () => boolean };
  /** names of the host's interfaces that networks lie on, whosever they are; asked anew each time */
  readonly parents?: () => ReadonlySet<string>;
  /** sysctls of the host's without which packets do not pass; asked anew at each look at them, once a second */
  readonly settings?: () => readonly SysctlObject[];
}

const OVS_RUN_DIRECTORY = '/run/openvswitch';

const NO_OVS = { internals: new Map<string, OvsInternal>(), bridges: [], ports: [], flows: [] };

const withSession = <T>(work: (session: Session) => T): T => {
  const session = new Session();
  try {
    return work(session);
  } finally {
    session.close();
  }
};

/** Old UDP flows would keep going where the port led before (KERNEL.md): they are forgotten when it changes hands. */
const forgetMovedFlows = (plan: Plan): void => {
  for (const { object } of plan) {
    if (object.kind !== 'hostport' || object.protocol !== 'udp') continue;
    const { protocol, port, count, address } = object;
    try {
      forgetFlows({ protocol, port, count, address });
    } catch (error) {
      // A kernel without ctnetlink keeps its flows; the plan itself is done.
      if (!(error instanceof KernelError)) throw error;
    }
  }
};

class LinuxKernel implements Kernel {
  readonly #reaper = new Reaper();
  readonly #expected = new Expected();
  readonly #applier: Applier;
  readonly #ovs: OpenVswitch;
  readonly #expectedOvs = new ExpectedOvs();
  #watch: Watch | undefined;
  #ovsWatch: OvsWatch | undefined;
  #sandboxWatch: EventSocket | undefined;
  #settingsWatch: SettingsWatch | undefined;

  constructor(private readonly parts: KernelParts) {
    this.#ovs = new OpenVswitch(parts.ovs?.runDirectory ?? OVS_RUN_DIRECTORY, {
      take: takeUplink,
      leave: leaveUplink,
    });
    const executors = createExecutors(parts.hostPorts, parts.resolvers, this.#ovs);
    this.#applier = new Applier({
      executors,
      nftables: parts.nftables,
      reaper: this.#reaper,
      ovs: this.#ovs,
    });
    this.#reaper.sweep();
  }

  apply(plan: Plan): void {
    this.#applier.apply(plan);
    this.#expected.follow(plan);
    this.#expectedOvs.follow(plan);
    this.#watchSandboxes();
    forgetMovedFlows(plan);
  }

  settled(ns?: string): Promise<void> {
    return this.#reaper.settled(ns);
  }

  observe(): readonly KernelObject[] {
    return this.#observe(false);
  }

  present(o: KernelObject): boolean {
    switch (o.kind) {
      case 'netns':
        return isNamespace(o.path);
      case 'link':
        return withSession((s) => linkPresent(s, o));
      case 'foreign':
        return withSession((s) => s.link(o.ns, o.name) !== undefined);
      case 'address':
        return withSession((s) => addressPresent(s, o));
      case 'route':
        return withSession((s) => routePresent(s, o));
      case 'neighbour':
        return withSession((s) => neighbourPresent(s, o));
      case 'fdb':
        return withSession((s) => fdbPresent(s, o));
      case 'sysctl':
        return (o.ns === 'host' || isNamespace(o.ns)) && hasSysctl(o.ns, o.path, o.value);
      case 'element':
        return this.parts.nftables.has(o);
      case 'hostport':
        return this.parts.hostPorts.has(o);
      case 'resolver':
        return this.parts.resolvers.has(o);
      case 'offload':
        return hasOffload(o);
      case 'ovs-bridge':
      case 'ovs-port':
      case 'ovs-flow':
        return this.#observeOvs().some((found) => objectKey(found) === objectKey(o) && same(found, o));
    }
  }

  /** Listens first: what changes while we look is heard of. */
  watch(onDrift: (drift: readonly Drift[]) => void): readonly KernelObject[] {
    this.#watch?.close();
    this.#watch = new Watch({
      expected: this.#expected,
      isOurs: (name) => isOwnName(name, () => this.#bridges()),
      parents: () => this.parts.parents?.() ?? new Set(),
      onDrift,
    });
    const there = this.#observe(true);
    this.#expected.adopt(there);
    this.#expectedOvs.adopt(there);
    this.#watchOvs(onDrift);
    this.#watchSandboxes();
    this.#watchSettings(onDrift);
    return there;
  }

  /** From the first link on that has no end on the host: who has none pays nothing. */
  #watchSandboxes(): void {
    const watch = this.#watch;
    if (watch && this.#expected.hasInside)
      this.#sandboxWatch ??= watchSandboxes(() => this.#watch?.suspectInside());
  }

  #watchSettings(onDrift: (drift: readonly Drift[]) => void): void {
    this.#settingsWatch?.close();
    const wanted = this.parts.settings;
    this.#settingsWatch = wanted && new SettingsWatch({ wanted, onDrift });
  }

  reachable(o: KernelObject): boolean {
    return !inOvs(o) || this.#ovs.reachable();
  }

  rebind(path: string, pid: number): void {
    rebindNamespace(path, pid);
  }

  addressesOf(pid: number): readonly string[] {
    return processAddresses(pid);
  }

  ensureTables(): void {
    this.parts.nftables.ensure();
  }

  dropped(): readonly DroppedAtPort[] {
    return this.parts.nftables.dropped();
  }

  dropTables(): void {
    this.parts.nftables.drop();
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#ovsWatch?.close();
    this.#sandboxWatch?.close();
    this.#settingsWatch?.close();
    await this.#reaper.close();
    this.parts.nftables.close();
  }

  #observe(settings: boolean): readonly KernelObject[] {
    const { namespaces, nftables, hostPorts, resolvers } = this.parts;
    const moved = this.parts.moved?.() ?? [];
    const { internals, bridges, ports, flows } = this.#usesOvs() ? this.#ovs.observe() : NO_OVS;
    return [
      ...bridges,
      ...observeLinks({ namespaces, bridges: this.#bridges(), internals, moved, settings }),
      ...ports,
      ...flows,
      ...nftables.elements(),
      ...hostPorts.list(),
      ...resolvers.list(),
    ];
  }

  #observeOvs(): readonly KernelObject[] {
    const { bridges, ports, flows } = this.#ovs.observe();
    return [...bridges, ...ports, ...flows];
  }

  #usesOvs(): boolean {
    return !this.#expectedOvs.empty || existsSync(this.#ovs.runDirectory);
  }

  #watchOvs(onDrift: (drift: readonly Drift[]) => void): void {
    const wanted = this.parts.ovs?.wanted ?? (() => false);
    this.#ovsWatch?.close();
    this.#ovsWatch = new OvsWatch({
      runDirectory: this.#ovs.runDirectory,
      wanted: () => wanted() || this.#ovs.owes || !this.#expectedOvs.empty,
      drifted: (state) => this.#expectedOvs.drifted(state),
      flows: () => this.#expectedOvs.flowCounts,
      onDrift: () => onDrift([{ kind: 'ovs' }]),
    });
  }

  #bridges(): readonly NamedBridge[] {
    return this.parts.bridges?.() ?? [];
  }
}

export const createKernel = (parts: KernelParts): Kernel => new LinuxKernel(parts);
export { leftDirty } from './apply.js';

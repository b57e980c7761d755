/** The kernel layer put together: `Kernel` of `contract.ts` on Linux, for the namespace the process is in. */
import { KernelError } from '../errors.js';
import type { HostPortObject, KernelObject, MovedLink, ResolverObject } from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import { Applier } from './apply.js';
import { forgetFlows } from './conntrack.js';
import type { Drift, Kernel, LocalObjects } from './contract.js';
import { Watch } from './events.js';
import { createExecutors } from './executors.js';
import { Expected } from './expected.js';
import { linkPresent } from './links/index.js';
import { addressPresent, fdbPresent, neighbourPresent, routePresent } from './look.js';
import { isNamespace } from './netns.js';
import type { Nftables } from './nftables.contract.js';
import { isOwnName, type NamedBridge, observeLinks } from './observe.js';
import { Reaper } from './reaper.js';
import { Session } from './session.js';
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
}

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
  #watch: Watch | undefined;

  constructor(private readonly parts: KernelParts) {
    const executors = createExecutors(parts.hostPorts, parts.resolvers);
    this.#applier = new Applier({ executors, nftables: parts.nftables, reaper: this.#reaper });
    this.#reaper.sweep();
  }

  apply(plan: Plan): void {
    this.#applier.apply(plan);
    this.#expected.follow(plan);
    forgetMovedFlows(plan);
  }

  settled(ns?: string): Promise<void> {
    return this.#reaper.settled(ns);
  }

  observe(): readonly KernelObject[] {
    const { namespaces, nftables, hostPorts, resolvers } = this.parts;
    return [
      ...observeLinks({ namespaces, bridges: this.#bridges(), moved: this.#moved() }),
      ...nftables.elements(),
      ...hostPorts.list(),
      ...resolvers.list(),
    ];
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
    }
  }

  watch(onDrift: (drift: readonly Drift[]) => void): void {
    this.#watch?.close();
    this.#expected.adopt(
      observeLinks({ namespaces: this.parts.namespaces, bridges: this.#bridges(), moved: [] }),
    );
    this.#watch = new Watch({
      expected: this.#expected,
      isOurs: (name) => isOwnName(name, this.#bridges()),
      onDrift,
    });
  }

  ensureTables(): void {
    this.parts.nftables.ensure();
  }

  dropTables(): void {
    this.parts.nftables.drop();
  }

  async close(): Promise<void> {
    this.#watch?.close();
    await this.#reaper.close();
    this.parts.nftables.close();
  }

  #moved(): readonly MovedLink[] {
    return this.parts.moved?.() ?? [];
  }

  #bridges(): readonly NamedBridge[] {
    return this.parts.bridges?.() ?? [];
  }
}

export const createKernel = (parts: KernelParts): Kernel => new LinuxKernel(parts);
export { leftDirty } from './apply.js';
export { forgetFlows } from './conntrack.js';

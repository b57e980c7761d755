/**
 * The machine of `world.ts` as the kernel that the daemon works on: plans are carried out by the real `Applier`, step by step, and
 * each planned step is strict. What is there is refused as there, what is gone as gone, for a plan knows what it begins with.
 */
import { constants } from 'node:os';
import { KernelError } from '../../../src/errors.js';
import { Applier } from '../../../src/kernel/apply.js';
import type { BackEnd } from '../../../src/kernel/back-ends/contract.js';
import type { Kernel } from '../../../src/kernel/contract.js';
import {
  ELEMENT,
  FASTPATH,
  FLOWS,
  HOSTPORT,
  MESH_PORT,
  OVS_BRIDGE,
  OVS_FLOW,
  OVS_PORT,
  PUBLISHED,
  RESOLVER,
  SERVICES,
  SHORTCUT,
  WAY_BACK,
} from './beside.js';
import { add, end, LINK, settle } from './links.js';
import {
  ADDRESS,
  FDB,
  FOREIGN,
  NEIGHBOUR,
  OFFLOAD,
  ROUTE,
  readSysctl,
  WIREGUARD_PEER,
  writeSysctl,
} from './on-links.js';
import {
  type Interface,
  type KernelObject,
  namespaceOf,
  newNamespace,
  newWorld,
  type Of,
  type Plan,
  refuse,
  type Step,
  type World,
} from './world.js';

interface Row<O> {
  create(world: World, o: O): void;
  replace(world: World, o: O, before: O): void;
  delete(world: World, o: O): void;
}

/** With all that is in it. */
const NETNS: Row<Of<'netns'>> = {
  create(world, { path }) {
    if (world.namespaces.has(path)) refuse('EEXIST', `namespace ${path}`);
    world.namespaces.set(path, newNamespace(path));
  },
  replace() {},
  delete(world, { path }) {
    for (const link of [...namespaceOf(world, path).interfaces.values()]) end(world, link);
    world.namespaces.delete(path);
    world.services.delete(path);
    world.waysBack.delete(path);
  },
};

/** A setting is never absent: making and undoing one are told by `Machine`, which remembers what was there. */
const SYSCTL: Row<Of<'sysctl'>> = {
  create: (world, o) => writeSysctl(world, o, o.value),
  replace: (world, o) => writeSysctl(world, o, o.value),
  delete() {},
};

const ROWS: { readonly [K in KernelObject['kind']]: Row<Of<K>> } = {
  netns: NETNS,
  link: LINK,
  address: ADDRESS,
  route: ROUTE,
  neighbour: NEIGHBOUR,
  fdb: FDB,
  wireguardPeer: WIREGUARD_PEER,
  sysctl: SYSCTL,
  foreign: FOREIGN,
  offload: { ...OFFLOAD, replace: OFFLOAD.create },
  element: ELEMENT,
  meshPort: MESH_PORT,
  published: PUBLISHED,
  hostport: HOSTPORT,
  resolver: RESOLVER,
  services: SERVICES,
  wayBack: WAY_BACK,
  flows: FLOWS,
  fastpath: FASTPATH,
  shortcut: SHORTCUT,
  'ovs-bridge': OVS_BRIDGE,
  'ovs-port': OVS_PORT,
  'ovs-flow': OVS_FLOW,
};

/** Kinds whose neighbouring steps are one message or batch, as `kernel/` has them. */
const TOGETHER: ReadonlySet<string> = new Set(['element', 'meshPort', 'published', 'address', 'route']);
const whoKeeps = (kind: KernelObject['kind']): string => {
  if (kind === 'element' || kind === 'meshPort' || kind === 'published') return 'nftables';
  if (kind === 'hostport' || kind === 'resolver') return 'local';
  return kind.startsWith('ovs') ? 'ovs' : 'netlink';
};

const { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH } = constants.errno;
const GONE: ReadonlySet<number> = new Set([EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH]);
const THERE: ReadonlySet<number> = new Set([EEXIST]);

export class Machine implements Kernel {
  readonly world = newWorld();
  /** called after every step */
  onStep: () => void = () => {};
  #countdown = 0;
  #planned: ReadonlySet<Step> = new Set();
  readonly #applier: Applier;

  constructor() {
    const by = new Map<string, BackEnd<KernelObject>>();
    for (const kind of Object.keys(ROWS) as KernelObject['kind'][]) // the table's own keys
      by.set(whoKeeps(kind), this.#backEnd());
    this.#applier = new Applier((o) => by.get(whoKeeps(o.kind)) as BackEnd<KernelObject>); // of every kind, above
  }

  /** The `n`-th planned step from now (1: the next) is refused with errno EIO, once; 0: none is. */
  failAt(n: number): void {
    this.#countdown = n;
  }

  apply(plan: Plan): void {
    this.#planned = new Set(plan);
    this.#carryOut(plan);
  }

  /** A plan that takes one back, as leniently as the `Applier` does. */
  takeBack(inverse: Plan): void {
    this.#planned = new Set();
    this.#carryOut(inverse);
  }

  #carryOut(plan: Plan): void {
    try {
      this.#applier.apply(plan);
    } finally {
      settle(this.world);
    }
  }

  /** An interface of somebody else's, up. */
  plug(ns: string, name: string, rest: Partial<Interface> = {}): Interface {
    return add(namespaceOf(this.world, ns), 'wire', name, { up: true, ours: false, ...rest });
  }

  #backEnd(): BackEnd<KernelObject> {
    return {
      together: (before, next) => TOGETHER.has(next.object.kind) && before.object.kind === next.object.kind,
      run: (steps, context, done) => {
        for (const step of steps) {
          if (this.#planned.has(step)) {
            this.#countdown -= 1;
            if (this.#countdown === 0) refuse('EIO', `${step.op} ${step.object.kind}: told to fail`);
            this.#step(step, context.formerValues);
          } else this.#leniently(step, () => this.#step(step, context.formerValues));
          this.onStep();
          done(step);
        }
      },
      observe: (said) => said,
      present: () => false,
    };
  }

  #step(step: Step, former: Map<string, string>): void {
    const { object, op } = step;
    const row = ROWS[object.kind] as Row<KernelObject>; // the row of exactly this kind
    if (object.kind === 'sysctl') this.#sysctl(op, object, former);
    else if (op === 'replace') row.replace(this.world, object, step.before);
    else row[op](this.world, object);
  }

  /** Whoever takes something back finds much gone with what he took back before, and is content with that. */
  #leniently({ op }: Step, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof KernelError) || !(op === 'delete' ? GONE : THERE).has(error.errno)) throw error;
    }
  }

  /** In an inverse it is what it was before; else as its record says, or as it is. An interface that is gone took it along. */
  #sysctl(op: Step['op'], object: Of<'sysctl'>, former: Map<string, string>): void {
    const key = `${object.ns} ${object.path}`;
    if (op !== 'delete') {
      if (op === 'create') former.set(key, readSysctl(this.world, object));
      writeSysctl(this.world, object, object.value);
      return;
    }
    const value = former.get(key) ?? object.restore;
    if (value !== undefined) writeSysctl(this.world, object, value);
  }

  observe(): readonly KernelObject[] {
    return [];
  }
  present(): boolean {
    return false;
  }
  reachable(): boolean {
    return true;
  }
  watch(): readonly KernelObject[] {
    return [];
  }
  settled(): Promise<void> {
    return Promise.resolve();
  }
  rebind(): void {}
  addressesOf(): readonly string[] {
    return [];
  }
  ensureTables(): void {}
  suspended(): readonly [] {
    return [];
  }
  dropped(): readonly [] {
    return [];
  }
  dropTables(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}

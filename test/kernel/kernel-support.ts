/** Objects and a kernel for the kernel tests; each test file runs in a network namespace of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalObjects } from '../../src/kernel/contract.js';
import { createKernel, type KernelParts } from '../../src/kernel/index.js';
import { removeNamespace } from '../../src/kernel/netns.js';
import type { ElementChange, Nftables } from '../../src/kernel/nftables.contract.js';
import { build, diff } from '../../src/plan/diff.js';
import {
  type AddressObject,
  type BridgeLink,
  type ElementObject,
  type KernelObject,
  objectKey,
  type RouteObject,
  type VethLink,
} from '../../src/plan/objects.js';

/** A local executor that remembers; refuses the keys in `refuse`. */
export class Remembered<T extends KernelObject> implements LocalObjects<T> {
  readonly kept = new Map<string, T>();
  readonly calls: string[] = [];
  refuse = new Set<string>();
  create(o: T): void {
    const key = objectKey(o);
    this.calls.push(`create ${key}`);
    if (this.refuse.has(key)) throw new Error(`refused ${key}`);
    this.kept.set(key, o);
  }
  delete(o: T): void {
    this.calls.push(`delete ${objectKey(o)}`);
    this.kept.delete(objectKey(o));
  }
  has(o: T): boolean {
    return this.kept.has(objectKey(o));
  }
  list(): readonly T[] {
    return [...this.kept.values()];
  }
}

/** Elements in memory, batch by batch, for tests of the layer around the tables. */
export class RecordedNftables implements Nftables {
  readonly batches: (readonly ElementChange[])[] = [];
  readonly kept = new Map<string, ElementObject>();
  refuse: string | undefined;
  ensure(): void {}
  apply(changes: readonly ElementChange[]): void {
    if (changes.some((c) => objectKey(c.element) === this.refuse)) throw new Error(`refused ${this.refuse}`);
    this.batches.push(changes);
    for (const { op, element } of changes)
      if (op === 'add') this.kept.set(objectKey(element), element);
      else this.kept.delete(objectKey(element));
  }
  elements(): readonly ElementObject[] {
    return [...this.kept.values()];
  }
  has(o: ElementObject): boolean {
    return this.kept.has(objectKey(o));
  }
  drop(): void {}
  close(): void {}
}

export const testKernel = (more: Partial<KernelParts> = {}) => {
  const namespaces = mkdtempSync(join(tmpdir(), 'viaduct-kernel-'));
  const nftables = new RecordedNftables();
  const hostPorts = new Remembered<Extract<KernelObject, { kind: 'hostport' }>>();
  const resolvers = new Remembered<Extract<KernelObject, { kind: 'resolver' }>>();
  const kernel = createKernel({ nftables, hostPorts, resolvers, namespaces, ...more });
  const sandboxes = new Set<string>();
  return {
    kernel,
    nftables,
    hostPorts,
    resolvers,
    namespaces,
    sandbox: (name: string): string => {
      const path = join(namespaces, name);
      sandboxes.add(path);
      return path;
    },
    /** Removes what the test left. */
    end: async (): Promise<void> => {
      for (const path of sandboxes) removeNamespace(path);
      await kernel.close();
      rmSync(namespaces, { recursive: true, force: true });
    },
  };
};

export const bridge = (name: string, more: Partial<BridgeLink> = {}): BridgeLink => ({
  kind: 'link',
  type: 'bridge',
  ns: 'host',
  name,
  mac: '02:42:00:00:00:01',
  mtu: 1500,
  up: true,
  owned: true,
  ...more,
});
export const veth = (
  name: string,
  master: string,
  peerNs: string,
  more: Partial<VethLink> = {},
): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name,
  mtu: 1500,
  up: true,
  master,
  hairpin: false,
  isolated: false,
  peerNs,
  peerName: 'eth0',
  peerMac: '02:42:ac:12:00:02',
  ...more,
});
export const address = (ns: string, link: string, text: string): AddressObject => ({
  kind: 'address',
  ns,
  link,
  address: text,
});
export const route = (ns: string, link: string, destination: string, via?: string): RouteObject => ({
  kind: 'route',
  ns,
  family: destination.includes(':') ? 6 : 4,
  destination,
  link,
  ...(via === undefined ? {} : { via }),
});
export const element = (set: string, key: string, guard = false): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key: [key],
  ...(guard ? { guard } : {}),
});

/** A sandbox with one endpoint on a bridge, dual stack. */
export const endpoint = (ns: string, n: number, master: string): readonly KernelObject[] => [
  veth(`veth${n.toString(16).padStart(11, '0')}`, master, ns, {
    peerMac: `02:42:ac:12:00:${n.toString(16).padStart(2, '0')}`,
  }),
  address(ns, 'eth0', `172.18.0.${n}/16`),
  address(ns, 'eth0', `fd00::${n.toString(16)}/64`),
  route(ns, 'eth0', '0.0.0.0/0', '172.18.0.1'),
  route(ns, 'eth0', '::/0', 'fd00::1'),
];
export const BRIDGE = 'br-0123456789ab';
export const network = (): readonly KernelObject[] => [
  bridge(BRIDGE),
  address('host', BRIDGE, '172.18.0.1/16'),
  address('host', BRIDGE, 'fd00::1/64'),
];

export const inside = (ns: string, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=${ns}`, ...command], { encoding: 'utf8' });
export const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
export const keys = (objects: readonly KernelObject[]): string[] => objects.map(objectKey).sort();
export { build, diff };

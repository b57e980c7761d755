/** Objects and a kernel for the kernel tests; each test file runs in a network namespace of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalObjects } from '../../src/kernel/contract.js';
import { createKernel, type KernelParts } from '../../src/kernel/index.js';
import { removeNamespace } from '../../src/kernel/netns.js';
import type { ElementChange, Nftables } from '../../src/kernel/nftables.contract.js';
import { createOvs } from '../../src/ovs/index.js';
import { build, diff } from '../../src/plan/diff.js';
import { type ElementObject, type KernelObject, objectKey } from '../../src/plan/objects.js';

/** A local executor that remembers; refuses the keys in `refuse`. */
class Remembered<T extends KernelObject> implements LocalObjects<T> {
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
class RecordedNftables implements Nftables {
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
  dropped(): readonly [] {
    return [];
  }
  drop(): void {}
  close(): void {}
}

export const testKernel = (more: Partial<KernelParts> = {}) => {
  const namespaces = mkdtempSync(join(tmpdir(), 'viaduct-kernel-'));
  const nftables = new RecordedNftables();
  const hostPorts = new Remembered<Extract<KernelObject, { kind: 'hostport' }>>();
  const resolvers = new Remembered<Extract<KernelObject, { kind: 'resolver' }>>();
  const ovs = createOvs({ runDirectory: '/run/openvswitch', wanted: () => false });
  const kernel = createKernel({ nftables, hostPorts, resolvers, ovs, namespaces, ...more });
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

export const inside = (ns: string, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=${ns}`, ...command], { encoding: 'utf8' });
export const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
export * from './kernel-objects.js';
export { build, diff };

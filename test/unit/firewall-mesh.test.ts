/** A port of the mesh as elements, from one state to another, and back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meshPortChanges, meshPortElements, meshPortsOf } from '../../src/firewall/index.js';
import type { ElementObject, MeshPortObject } from '../../src/plan/objects.js';
import { objectKey } from '../../src/plan/objects.js';

const led = (targets: readonly string[], more: Partial<MeshPortObject> = {}): MeshPortObject => ({
  ...{ kind: 'meshPort', family: 4, protocol: 'tcp', port: 80, targets },
  ...more,
});
const targets = fc.uniqueArray(
  fc.integer({ min: 2, max: 12 }).map((n) => `10.0.0.${n} 80`),
  { minLength: 1, maxLength: 6 },
);

/** Elements by key, as the kernel has them; what is not there cannot be deleted, nor what is there be added. */
class Tables {
  readonly there: Map<string, ElementObject>;
  constructor(elements: readonly ElementObject[]) {
    this.there = new Map(elements.map((e) => [objectKey(e), e]));
  }
  carryOut(batch: ReturnType<typeof meshPortChanges>[number]): void {
    for (const { op, element } of batch) {
      expect([op, this.there.has(objectKey(element))]).toEqual([op, op === 'delete']);
      if (op === 'add') this.there.set(objectKey(element), element);
      else this.there.delete(objectKey(element));
    }
  }
  /** Every slot that a verdict may draw leads somewhere. */
  get hasHole(): boolean {
    const all = [...this.there.values()];
    const [verdict] = all.filter(({ key }) => key.length === 2);
    const among = Number(verdict?.data?.[0]?.match(/\d+$/)?.[0] ?? 0);
    const slots = new Set(all.map(({ key }) => key[2]));
    return Array.from({ length: among }, (_, at) => String(at)).some((slot) => !slots.has(slot));
  }
}

describe('S8 a port of the mesh', () => {
  test('goes from any state to any other, and no batch leaves a hole', () => {
    const state = fc.option(targets, { nil: undefined });
    fc.assert(
      fc.property(state, state, (from, to) => {
        const [before, after] = [from && led(from), to && led(to)];
        const tables = new Tables(before ? meshPortElements(before) : []);
        for (const batch of meshPortChanges(before, after)) {
          tables.carryOut(batch);
          expect(tables.hasHole).toBe(false);
        }
        expect(meshPortsOf([...tables.there.values()]).ports).toEqual(after ? [after] : []);
      }),
    );
  });
  test('one task among a thousand that is replaced is one element', () => {
    const before = Array.from({ length: 1000 }, (_, n) => `10.1.${n >> 8}.${n & 255} 80`);
    const after = before.with(7, '10.2.0.1 80');
    expect(meshPortChanges(led(before), led(after)).map(({ length }) => length)).toEqual([0, 2, 0]);
  });
  test('a slot that somebody has written far beyond the others is damage, and costs nothing', () => {
    const own = meshPortElements(led(['10.0.0.2 80']));
    const [slot] = own.filter(({ key }) => key.length === 3);
    const far = { ...slot, key: ['tcp', '80', '4000000000'] } as ElementObject;
    expect(meshPortsOf([...own, far]).ports).toEqual([led([], { damaged: [...own, far] })]);
  });
  test('what is not as it is written is told as it is, and made anew in one batch', () => {
    const [first, ...rest] = meshPortElements(led(['10.0.0.2 80', '10.0.0.3 80']));
    const other: ElementObject = { kind: 'element', family: 'inet', set: 'held_any4', key: ['tcp', '80'] };
    const { ports, others } = meshPortsOf([
      other,
      ...rest,
      ...meshPortElements(led(['10.0.0.9 90'], { port: 90 })),
    ]);
    expect(others).toEqual([other]);
    expect(ports).toEqual([led([], { damaged: rest }), led(['10.0.0.9 90'], { port: 90 })]);
    expect(first?.key).toEqual(['tcp', '80', '0']);
    const wanted = led(['10.0.0.2 80']);
    const [damaged] = ports;
    const batches = meshPortChanges(damaged, wanted);
    expect(batches).toHaveLength(1);
    const tables = new Tables(rest);
    for (const batch of batches) tables.carryOut(batch);
    expect(meshPortsOf([...tables.there.values()]).ports).toEqual([wanted]);
    for (const batch of meshPortChanges(damaged, undefined))
      expect(batch.map(({ op }) => op)).toEqual(['delete', 'delete']);
  });
});

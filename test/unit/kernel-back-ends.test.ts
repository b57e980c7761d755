/** Plans among back ends: the smallest one that there can be, what goes in one run, and what is taken back. */
import { expect, test } from 'vitest';
import { Applier } from '../../src/kernel/apply.js';
import type { BackEnd } from '../../src/kernel/back-ends/contract.js';
import { diff } from '../../src/plan/diff.js';
import { inverse } from '../../src/plan/inverse.js';
import { type ElementObject, type KernelObject, objectKey, type Slice } from '../../src/plan/objects.js';
import { print } from '../../src/plan/print.js';
import { bridge, element } from '../kernel/kernel-objects.js';

/** Keeps what it is told to, run by run; refuses what `refuses` says. */
class Memory implements BackEnd<KernelObject> {
  readonly runs: string[][] = [];
  refuses: (told: string) => boolean = () => false;
  constructor(
    private readonly kept: Map<string, KernelObject>,
    private readonly joins = false,
  ) {}
  together(): boolean {
    return this.joins;
  }
  run: BackEnd<KernelObject>['run'] = (steps, _, done) => {
    this.runs.push([]);
    for (const step of steps) {
      const key = objectKey(step.object);
      const told = `${step.op} ${key}`;
      if (this.refuses(told)) throw new Error(`refused: ${told}`);
      if (step.op === 'delete') this.kept.delete(key);
      else this.kept.set(key, step.object);
      this.runs.at(-1)?.push(told);
      done(step);
    }
  };
  observe: BackEnd<KernelObject>['observe'] = (said) => [...said, ...this.kept.values()];
  present: BackEnd<KernelObject>['present'] = (o) => this.kept.has(objectKey(o));
}

const world = () => {
  const kept = new Map<string, KernelObject>();
  const links = new Memory(kept);
  const elements = new Memory(kept, true);
  const applier = new Applier((o) => (o.kind === 'element' ? elements : links));
  return { kept, links, elements, applier };
};

const port = bridge('br-0123456789ab', { up: false });
const guard: ElementObject = { ...element('guards', port.name, true), family: 'netdev', data: ['x'] };
const others = [element('networks', 'a'), element('networks', 'b')];

test('neighbouring steps of a back end go in one run where it wants that', () => {
  const { links, elements, applier } = world();
  applier.apply(diff([], [port, bridge('br-2', { up: false }), ...others]));
  expect(links.runs).toEqual([['create link host br-0123456789ab'], ['create link host br-2']]);
  expect(elements.runs).toEqual([['create element inet networks a', 'create element inet networks b']]);
});

test('what another back end keeps of a link goes right behind the link, and comes back behind it', () => {
  const { kept, links, elements, applier } = world();
  applier.apply(diff([], [port, guard]));
  elements.runs.length = 0;
  const before = [...kept.keys()];
  const plan = diff([port, guard], [bridge('br-2', { up: false })]);
  links.refuses = (told) => told === 'create link host br-2';
  expect(() => applier.apply(plan)).toThrow('refused: create link host br-2');
  expect(elements.runs).toEqual([
    ['delete element netdev guards br-0123456789ab'],
    ['create element netdev guards br-0123456789ab'],
  ]);
  expect([...kept.keys()]).toEqual(before);
});

test('a step keeps whose it is, when it is taken back too, and says it', () => {
  const slice: Slice = { kind: 'network', id: 'n1' };
  const sliceOf = (o: KernelObject): Slice | undefined => (o === guard ? undefined : slice);
  const plan = diff([], [{ ...port, up: true }, guard], sliceOf);
  expect(print(plan)).toBe(
    [
      'ip link add br-0123456789ab address 02:42:00:00:00:01 mtu 1500 down type bridge  # network n1',
      'nft add chain netdev viaduct br-0123456789ab { type filter hook ingress device br-0123456789ab; comment "x"; }',
      'ip link set br-0123456789ab up  # network n1',
      '',
    ].join('\n'),
  );
  expect(inverse(plan).map((step) => step.slice)).toEqual([slice, undefined, slice]);
});

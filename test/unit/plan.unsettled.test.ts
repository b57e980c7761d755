/** What a restart leaves out of its plan, over whatever commands make of networks and containers of all drivers. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allSlices } from '../../src/engine/commit/derive.js';
import { put } from '../../src/engine/commit/tables.js';
import { KernelError, leftDirty } from '../../src/errors.js';
import { diff, isAsWanted, unsettled } from '../../src/plan/diff.js';
import { type KernelObject, objectKey } from '../../src/plan/objects.js';
import {
  CONTAINERS,
  type Command,
  command,
  creating,
  decided,
  nth,
  PLUGIN_LINKS,
  starting,
} from '../support/commands.js';
import { createWorld, type DecidingWorld, freshOf } from '../support/deciding.js';
import { runs } from '../support/runs.js';
import { aContainer } from '../support/views.js';

/** Each command that the machine takes. */
const follow = (world: DecidingWorld, commands: readonly Command[], first: number): void => {
  for (const [i, each] of commands.entries()) {
    const decision = decided(each, world, freshOf(first + i));
    try {
      if (decision) world.ledger.commit(decision.changes);
    } catch (error) {
      if (!(error instanceof KernelError) && !leftDirty(error)) throw error;
    }
  }
};

const begun = (): DecidingWorld => {
  const world = createWorld(PLUGIN_LINKS);
  world.ledger.commit(CONTAINERS.map((i) => put('container', aContainer({ id: nth(i), name: `c${i}` }))));
  return world;
};

const derived = ({ model, derive }: DecidingWorld): readonly KernelObject[] =>
  allSlices(model).flatMap((slice) => derive(model, slice));

const before = fc
  .tuple(
    fc.array(creating, { minLength: 1, maxLength: 3 }),
    fc.array(starting, { minLength: 2, maxLength: 4 }),
    fc.array(command, { maxLength: 4 }),
  )
  .map((parts) => parts.flat());

it('I10-11: what is as it should be may be left out of a plan', () => {
  fc.assert(
    fc.property(before, fc.array(command, { maxLength: 3 }), fc.nat(1_000), (shared, own, at) => {
      const world = begun();
      follow(world, shared, 1);
      const there = new Map(derived(world).map((o) => [objectKey(o), o]));
      // One that somebody made in place of ours: it has to be made anew, with what is on it.
      const pairs = [...there].flatMap(([key, o]) =>
        o.kind === 'link' && o.type === 'veth' ? [{ key, o }] : [],
      );
      const other = at % 2 === 0 ? pairs[at % Math.max(1, pairs.length)] : undefined;
      if (other) there.set(other.key, { ...other.o, peerMac: '02:00:00:00:00:01' });
      follow(world, own, 50);
      const wanted = derived(world);
      const keys = new Set(wanted.map(objectKey));
      const strays = [...there.values()].filter((o) => !keys.has(objectKey(o)));
      const planOf = (objects: readonly KernelObject[]) =>
        diff([...objects.flatMap((o) => there.get(objectKey(o)) ?? []), ...strays], objects);
      const changed = wanted.filter((o) => !isAsWanted(there.get(objectKey(o)), o));
      expect(planOf(unsettled(there, strays, changed, wanted))).toEqual(planOf(wanted));
    }),
    runs(60),
  );
});

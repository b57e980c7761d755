/**
 * Plans of whatever commands make of networks and containers of all drivers, derived, compared, ordered and carried out as the
 * daemon does it, on a machine whose rules are written apart from them (`support/machine/`), and judged by what users are promised.
 */
import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/engine/commit/model.js';
import { type Change, put, TABLES, type Table } from '../../src/engine/commit/tables.js';
import { decidePredefined } from '../../src/engine/networks/predefined.js';
import { KernelError, leftDirty } from '../../src/errors.js';
import {
  allAway,
  CONTAINERS,
  type Command,
  command,
  create,
  creating,
  decided,
  nth,
  PLUGIN_LINKS,
  start,
  starting,
} from '../support/commands.js';
import { createWorld, type DecidingWorld, freshOf } from '../support/deciding.js';
import { said, sysctlsSaid } from '../support/machine/said.js';
import type { Call } from '../support/machine/way.js';
import { honest, probesOf, promised, reached } from '../support/probes.js';
import { runs } from '../support/runs.js';
import { aContainer } from '../support/views.js';
import { View } from '../support/who-reaches-whom.js';

const begun = (): DecidingWorld => {
  const world = createWorld(PLUGIN_LINKS);
  world.ledger.commit(decidePredefined(world.view, freshOf(0)).changes);
  const containers = CONTAINERS.map((i) => {
    const config = { ExposedPorts: { '5432/tcp': {} } };
    return put('container', aContainer({ id: nth(i), name: `c${i}`, config }));
  });
  world.ledger.commit(containers);
  return world;
};

/** Records by their tables, in the order in which they build on each other. */
const changesBetween = (before: Model, after: Model): readonly Change[] =>
  (Object.keys(TABLES) as Table[]).flatMap((table) => {
    const [from, to] = [before.tables[table].records, after.tables[table].records];
    return [
      ...[...from.keys()].filter((id) => !to.has(id)).map((id) => ({ table, id, value: null })),
      ...[...to].filter(([id, value]) => from.get(id) !== value).map(([id, value]) => ({ table, id, value })),
    ] as Change[]; // each of its own table
  });

const { EADDRINUSE, EBUSY, EINVAL, EIO } = constants.errno;
/** What users can bring about: a host port twice, a parent that others have. */
const THEIR_DOING: ReadonlySet<number> = new Set([EADDRINUSE, EBUSY, EINVAL]);

/** The errno of what was refused, 0 where nothing was; nothing that is refused leaves anything half done. */
const refusalOf = (work: () => void): number => {
  try {
    work();
    return 0;
  } catch (error) {
    if (leftDirty(error) && error instanceof Error) throw error.cause;
    if (error instanceof KernelError && (error.errno === EIO || THEIR_DOING.has(error.errno)))
      return error.errno;
    throw error;
  }
};

/** The machine as a daemon makes it from these records and nothing. */
const madeAnew = ({ model }: DecidingWorld): DecidingWorld => {
  const world = createWorld(PLUGIN_LINKS);
  world.ledger.commit(changesBetween(world.model, model));
  return world;
};

/** Where nothing says what a sysctl is to be, it may have stayed as it was, but only on an interface that stayed. */
const expectMadeAsAnew = (world: DecidingWorld): void => {
  const anew = madeAnew(world).kernel.world;
  const lines = said(anew);
  expect(said(world.kernel.world)).toEqual(lines);
  const sysctls = sysctlsSaid(world.kernel.world);
  for (const [name, value] of sysctlsSaid(anew)) expect([name, sysctls.get(name)]).toEqual([name, value]);
};

/** A world's answers at some of the steps that are taken while `work` is done. */
const during = (
  { kernel }: DecidingWorld,
  probes: readonly Call[],
  isChosen: (step: number) => boolean,
  work: () => void,
): readonly ReadonlySet<string>[] => {
  const found: ReadonlySet<string>[] = [];
  let step = 0;
  kernel.onStep = () => {
    step += 1;
    if (isChosen(step)) found.push(reached(kernel.world, probes));
  };
  work();
  kernel.onStep = () => {};
  return found;
};

/** A few steps of a plan, others each time. */
const chosenOf = (steps: number, seed: number) => {
  const chosen = new Set([0, 1, 2, 3].map((k) => 1 + ((seed + k * 7919 * (1 + (seed % 13))) % steps)));
  return (step: number): boolean => chosen.has(step);
};

/**
 * One change, refused at a step and then carried out. `seed` chooses the steps: at none of them, forth or back, is more open
 * than before or after. Answers whether it was carried out.
 */
const carryOut = (world: DecidingWorld, changes: readonly Change[], seed: number): boolean => {
  const { ledger, kernel, model } = world;
  const before = world.state();
  const plan = ledger.preview(changes);
  expect(ledger.preview(changes)).toEqual(plan);
  expect(world.state()).toEqual(before);
  const after = model.copy();
  for (const change of changes) after.change(change);
  const probes = probesOf(model, after);
  const opened = reached(kernel.world, probes);
  const steps = plan.length + 1;
  kernel.failAt(1 + (seed % steps));
  let refusal = 0;
  const back = during(world, probes, chosenOf(2 * steps, seed), () => {
    refusal = refusalOf(() => ledger.commit(changes));
  });
  kernel.failAt(0);
  if (refusal !== 0) {
    expect(world.state()).toEqual(before);
    if (refusal !== EIO) return false;
  }
  const forth = during(world, probes, chosenOf(steps, seed), () => {
    if (refusal !== 0) refusal = refusalOf(() => ledger.commit(changes));
  });
  if (refusal !== 0) {
    expect(world.state()).toEqual(before);
    return false;
  }
  const allowed = new Set([...opened, ...reached(kernel.world, probes)]);
  for (const open of [...back, ...forth]) expect([...open].filter((each) => !allowed.has(each))).toEqual([]);
  return true;
};

const expectPromises = ({ kernel, model }: DecidingWorld): void => {
  const probes = honest(probesOf(model));
  expect([...reached(kernel.world, probes)]).toEqual([...promised(new View(model), probes)]);
};

const seed = fc.nat(1_000_000);
/** Networks, containers on them, and then anything. */
const story = (maxLength: number) =>
  fc
    .tuple(
      fc.array(fc.tuple(creating, seed), { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(starting, seed), { minLength: 2, maxLength: 4 }),
      fc.array(fc.tuple(command, seed), { maxLength }),
    )
    .map((parts) => parts.flat());
const anything = (maxLength: number) => fc.array(fc.tuple(command, seed), { maxLength });

const commandsOf = (told: readonly (readonly [Command, number])[]): readonly Command[] =>
  told.map(([each]) => each);

const follow = (
  world: DecidingWorld,
  commands: readonly Command[],
  first: number,
  each: (changes: readonly Change[]) => void,
): void => {
  for (const [i, one] of commands.entries()) {
    const decision = decided(one, world, freshOf(first + i));
    if (decision) each(decision.changes);
  }
};

/** What only could be where the kernel takes it. */
const asFarAsItGoes =
  ({ ledger }: DecidingWorld) =>
  (changes: readonly Change[]): void =>
    void refusalOf(() => ledger.commit(changes));

describe('I10-11 plans of all drivers, on a machine that is no plan’s', () => {
  it('every step is taken, every refusal leaves what was, and what is there is what a new start would make', () => {
    fc.assert(
      fc.property(story(8), (told) => {
        const world = begun();
        const empty = said(world.kernel.world);
        for (const [i, [each, at]] of told.entries()) {
          const decision = decided(each, world, freshOf(i + 1));
          if (decision && carryOut(world, decision.changes, at)) expectMadeAsAnew(world);
        }
        allAway(world, (each) => world.ledger.commit(decided(each, world, freshOf(99))?.changes ?? []));
        expect(said(world.kernel.world)).toEqual(empty);
      }),
      runs(40),
    );
  });

  it('any two sets of records are one plan apart, forth and back', () => {
    fc.assert(
      fc.property(story(4), anything(6), anything(6), seed, (shared, one, other, at) => {
        const here = begun();
        const there = begun();
        for (const [world, own] of [
          [here, one],
          [there, other],
        ] as const) {
          follow(world, commandsOf(shared), 1, asFarAsItGoes(world));
          follow(world, commandsOf(own), 50, asFarAsItGoes(world));
        }
        const model = here.model.copy();
        const forth = changesBetween(model, there.model);
        expect(carryOut(here, forth, at)).toBe(true);
        expect(said(here.kernel.world)).toEqual(said(there.kernel.world));
        expect(carryOut(here, changesBetween(here.model, model), at)).toBe(true);
        expectMadeAsAnew(here);
      }),
      runs(40),
    );
  });

  it('who reaches whom is what users are promised', () => {
    fc.assert(
      fc.property(story(10), (told) => {
        const world = begun();
        follow(world, commandsOf(told), 1, (changes) => {
          asFarAsItGoes(world)(changes);
          expectPromises(world);
        });
      }),
      runs(100),
    );
  });
});

describe('the machine that judges', () => {
  const run = (world: DecidingWorld, each: Command, n: number): void =>
    world.ledger.commit(each(world, freshOf(n)).changes);

  const published = (): DecidingWorld => {
    const world = begun();
    run(world, create('n0', { driver: 'bridge', ipv6: true }), 1);
    run(world, start(0, { networks: ['n0'], ports: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } }), 2);
    return world;
  };
  const open = (world: DecidingWorld): readonly string[] =>
    [...reached(world.kernel.world, probesOf(world.model))].filter((each) => /^lan → 192.0.2.1/.test(each));

  it('sees what is published, and that a port that is led nowhere is closed', () => {
    const world = published();
    const [sandbox] = [...world.model.sandboxes.values()];
    expect(open(world)).toEqual([
      'lan → 192.0.2.1 22/tcp: host',
      'lan → 192.0.2.1 2375/tcp: host',
      `lan → 192.0.2.1 8080/tcp: ${sandbox?.netns}`,
    ]);
    world.kernel.world.sets.get('inet publish_any4')?.clear();
    expect(open(world)).not.toContain(`lan → 192.0.2.1 8080/tcp: ${sandbox?.netns}`);
  });

  it('sees that a bridge without its rules is open, and a port without its chain sends what it likes', () => {
    const world = published();
    const allOpen = (): number => reached(world.kernel.world, probesOf(world.model)).size;
    const before = allOpen();
    world.kernel.world.sets.get('inet bridges')?.clear();
    expect(allOpen()).toBeGreaterThan(before);
  });

  it('refuses what is there, what is gone, and what lacks what it needs', () => {
    const { kernel } = published();
    const address = { kind: 'address', ns: 'host', link: 'docker0', address: '10.1.2.3/24' } as const;
    const errnoOf = (...plan: Parameters<typeof kernel.apply>[0]): number | undefined => {
      try {
        kernel.apply(plan);
        return undefined;
      } catch (error) {
        return error instanceof KernelError ? error.errno : -1;
      }
    };
    const { errno } = constants;
    expect(errnoOf({ op: 'create', object: address })).toBe(undefined);
    expect(errnoOf({ op: 'create', object: address })).toBe(errno.EEXIST);
    expect(errnoOf({ op: 'delete', object: address })).toBe(undefined);
    expect(errnoOf({ op: 'delete', object: address })).toBe(errno.EADDRNOTAVAIL);
    expect(errnoOf({ op: 'create', object: { ...address, link: 'nowhere' } })).toBe(errno.ENODEV);
    const route = {
      kind: 'route',
      ns: 'host',
      family: 4,
      destination: '10.2.0.0/16',
      link: 'docker0',
    } as const;
    expect(errnoOf({ op: 'create', object: { ...route, via: '203.0.113.1' } })).toBe(errno.ENETUNREACH);
    expect(
      errnoOf({ op: 'create', object: { kind: 'element', family: 'inet', set: 'none', key: ['a'] } }),
    ).toBe(errno.ENOENT);
    expect(errnoOf({ op: 'delete', object: { kind: 'netns', path: '/nowhere' } })).toBe(errno.ENOENT);
  });
});

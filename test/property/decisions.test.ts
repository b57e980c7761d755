/**
 * Commands as decisions, over the real drivers, ledger and indices, with kernel and disk in memory: deciding changes nothing,
 * the same is decided of the same view, and what the kernel refuses leaves nothing taken.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { put } from '../../src/engine/commit/tables.js';
import { designContainer } from '../../src/engine/containers/create.js';
import { decidePredefined } from '../../src/engine/networks/predefined.js';
import { KernelError, ViaductError } from '../../src/errors.js';
import { GATEWAY_NETWORK } from '../../src/model/network.js';
import {
  allAway,
  CONTAINERS,
  type Command,
  command,
  connect,
  create,
  decided,
  disconnect,
  nth,
  PLUGIN_LINKS,
  start,
} from '../support/commands.js';
import { createWorld, type DecidingWorld, freshOf, takenOf } from '../support/deciding.js';
import { IMAGE } from '../support/fake-engine.js';
import { runs } from '../support/runs.js';
import { aContainer } from '../support/views.js';

type World = DecidingWorld;

/** Containers as they are before they run. */
const created = () => CONTAINERS.map((i) => put('container', aContainer({ id: nth(i), name: `c${i}` })));

const begun = (): World => {
  const world = createWorld(PLUGIN_LINKS);
  world.ledger.commit(created());
  return world;
};

/** Of the records, and of those that an index finds. */
const orderOf = ({ model }: World) => [
  ...model.networks.keys(),
  ...[...model.sandboxes.keys()].map((id) => model.endpointsOfSandbox(id).map((e) => e.id)),
];

/** Answers whether the kernel refused. */
const refused = (work: () => void): boolean => {
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof KernelError || error instanceof ViaductError) return true;
    throw error;
  }
};

describe('every network and container command', () => {
  it('is decided alike twice, previewed without a trace, and taken back whole when the kernel refuses', () => {
    let refusals = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(command, fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 }))), {
          minLength: 6,
          maxLength: 25,
        }),
        (commands) => {
          const world = begun();
          for (const [i, [each, step]] of commands.entries()) {
            const before = world.state();
            const decision = decided(each, world, freshOf(i));
            expect(decided(each, world, freshOf(i))).toEqual(decision);
            expect(world.state()).toEqual(before);
            if (!decision) continue;
            const order = orderOf(world);
            world.ledger.preview(decision.changes);
            expect(world.state()).toEqual(before);
            expect(orderOf(world)).toEqual(order);
            world.kernel.failAt(step);
            const failed = refused(() => world.ledger.commit(decision.changes));
            world.kernel.failAt(0);
            if (failed) {
              expect(world.state()).toEqual(before);
              refusals += 1;
              continue;
            }
            expect(takenOf(world.model)).toEqual(takenOf(world.model.copy()));
          }
        },
      ),
      runs(150),
    );
    expect(refusals).toBeGreaterThan(0);
  });

  it('gives no address twice, and leaves nothing when everything is taken away again', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 10, maxLength: 40 }), (commands) => {
        const world = begun();
        const before = world.state();
        const run = (each: Command, i: number): void => {
          const decision = decided(each, world, freshOf(i));
          if (decision) refused(() => world.ledger.commit(decision.changes));
          const addresses = [...world.model.endpoints.values()].flatMap(({ networkId, ipv4, ipv6 }) =>
            [ipv4, ipv6].flatMap((a) => (a ? [`${networkId} ${a}`] : [])),
          );
          expect(new Set(addresses).size).toBe(addresses.length);
        };
        commands.forEach(run);
        allAway(world, (each) => run(each, 0));
        const paid = [...world.model.owed.keys()].map((id) => ({ table: 'owed', id, value: null }) as const);
        world.ledger.commit([...paid, ...created()]);
        // Sysctls of the host that were written stay written.
        expect({ ...world.state(), sysctls: before.sysctls }).toEqual(before);
      }),
      runs(100),
    );
  });

  it('docker_gwbridge is made in the commit of the endpoint that needs it, and a refusal leaves neither', () => {
    const world = begun();
    const run = (each: Command, i: number): void => world.ledger.commit(each(world, freshOf(i)).changes);
    run(create('n0', { driver: 'plug' }), 1);
    run(start(0, { networks: [], ports: {} }), 2);
    const before = world.state();
    for (let step = 1; ; step += 1) {
      world.kernel.failAt(step);
      if (!refused(() => run(connect(0, 'n0'), 3))) break;
      expect(world.state()).toEqual(before);
    }
    world.kernel.failAt(0);
    const gateway = world.model.getNetwork(GATEWAY_NETWORK);
    expect(world.model.endpointsOfNetwork(gateway.id).map((e) => e.ipv4)).toEqual(['172.17.0.2/16']);
    expect(world.model.endpointsOfNetwork(world.model.getNetwork('n0').id)).toHaveLength(1);
    run(disconnect(0, 'n0'), 4);
    expect(world.model.endpoints.size).toBe(0);
  });

  it('a container is designed alike twice, and the name that is made up for it is nobody’s', () => {
    const { view, ledger } = createWorld();
    const { config, hostConfig } = aContainer({ id: nth(0), name: 'x' });
    const asked = {
      name: '',
      platform: '',
      config: { ...config, Cmd: null, Entrypoint: null },
      hostConfig,
      networks: [],
    };
    const designed = designContainer(view, freshOf(1), asked, IMAGE);
    expect(designContainer(view, freshOf(1), asked, IMAGE)).toEqual(designed);
    ledger.commit([{ table: 'container', id: nth(0), value: { ...designed, id: nth(0) } }]);
    const second = designContainer(view, freshOf(1), asked, IMAGE);
    expect(second.name).not.toBe(designed.name);
    expect(second.name).toMatch(/^[a-z]+_[a-z]+$/);
  });

  it('the three networks of every daemon are decided the same way, and once they are there nothing changes', () => {
    const world = createWorld();
    const first = decidePredefined(world.view, freshOf(1));
    expect(decidePredefined(world.view, freshOf(1))).toEqual(first);
    world.ledger.commit(first.changes);
    const state = world.state();
    world.ledger.commit(decidePredefined(world.view, freshOf(2)).changes);
    expect(world.state()).toEqual(state);
  });
});

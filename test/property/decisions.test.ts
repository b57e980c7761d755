/**
 * Commands as decisions, over the real drivers, ledger and indices, with kernel and disk in memory: deciding changes nothing,
 * the same is decided of the same view, and what the kernel refuses leaves nothing taken.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateOwn } from '../../src/engine/attach/allocate.js';
import {
  connectedTo,
  decideAttachment,
  decideStart,
  designAttachment,
} from '../../src/engine/attach/decide-attach.js';
import { decideDetachment, decideEnd } from '../../src/engine/attach/decide-detach.js';
import { designContainer } from '../../src/engine/containers/create.js';
import { decideRename, decideUnlinking } from '../../src/engine/containers/decide.js';
import type { Decision, Fresh } from '../../src/engine/decision.js';
import { decideCreation, decideRemoval } from '../../src/engine/networks/decide.js';
import { design, naming } from '../../src/engine/networks/design.js';
import { decidePredefined } from '../../src/engine/networks/predefined.js';
import { conflict, KernelError, ViaductError } from '../../src/errors.js';
import { NO_SETTINGS } from '../../src/model/container.js';
import type { ContainerId } from '../../src/model/ids.js';
import { GATEWAY_NETWORK } from '../../src/model/network.js';
import { aContainer, createWorld, freshOf, takenOf } from '../support/deciding.js';
import { IMAGE } from '../support/fake-engine.js';

type World = ReturnType<typeof createWorld>;
type Command = (world: World, fresh: Fresh) => Decision;

const KINDS = {
  plain: { driver: 'bridge' },
  dual: { driver: 'bridge', ipv6: true },
  internal: { driver: 'bridge', internal: true },
  small: { driver: 'bridge', ipam: { driver: '', options: null, config: [{ subnet: '10.9.0.0/29' }] } },
  macvlan: { driver: 'macvlan', options: { parent: 'eth9' } },
  /** a plugin's, with addresses of ours: it leads nowhere, so its containers get a gateway endpoint */
  plugin: { driver: 'plug' },
} as const;
type Kind = keyof typeof KINDS;

const request = (kind: Kind) => ({
  name: kind,
  scope: '',
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  configFrom: '',
  options: {},
  labels: {},
  ipam: { driver: '', options: null, config: [] },
  ...KINDS[kind],
});

const create =
  (kind: Kind): Command =>
  ({ view }, fresh) =>
    decideCreation(view, design(view, naming(view, fresh, request(kind)), { scope: 'local' }));

const remove =
  (name: string): Command =>
  ({ view }) =>
    decideRemoval(view, view.model.getNetwork(name));

const nth = (n: number): ContainerId => String(n).padStart(64, 'c') as ContainerId; // the brand is the test's to give

const start =
  (n: number, networks: readonly Kind[], hostPort: string): Command =>
  ({ view }, fresh) => {
    const container = view.model.getContainer(nth(n));
    if (container.sandboxId !== null) throw conflict('it runs');
    return decideStart(view, fresh, {
      ...container,
      hostConfig: {
        ...container.hostConfig,
        PortBindings: { '80/tcp': [{ HostIp: '', HostPort: hostPort }] },
      },
      networks: networks.map((name) => ({ networkId: '', name, settings: NO_SETTINGS })),
    });
  };

const connect =
  (n: number, kind: Kind, ipv4: string | undefined): Command =>
  ({ view }, fresh) => {
    const network = view.model.getNetwork(kind);
    const settings = { ...NO_SETTINGS, ...(ipv4 ? { ipv4 } : {}) };
    const container = connectedTo(view, network, view.model.getContainer(nth(n)), settings);
    const designed = designAttachment(view, fresh, container, network, settings);
    const answered = kind === 'plugin' && designed && allocateOwn(view, designed);
    const plugin = { routes: [], external: false };
    return decideAttachment(view, fresh, container, designed, answered ? { ...answered, plugin } : undefined);
  };

const COMMANDS: readonly [weight: number, fc.Arbitrary<Command>][] = (() => {
  const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));
  const own = fc.constantFrom<Kind>('plain', 'dual', 'internal', 'small', 'macvlan');
  const n = fc.nat(2);
  const container = (world: World, i: number) => world.view.model.getContainer(nth(i));
  return [
    [4, kind.map(create)],
    [1, kind.map(remove)],
    [1, fc.constant(remove(GATEWAY_NETWORK))],
    [
      4,
      fc
        .tuple(n, fc.uniqueArray(own, { maxLength: 3 }), fc.constantFrom('', '8080', '8000-8001'))
        .map(([i, on, port]) => start(i, on, port)),
    ],
    [
      6,
      fc
        .tuple(n, kind, fc.constantFrom(undefined, undefined, '10.9.0.3', '10.9.0.1'))
        .map(([i, on, ipv4]) => connect(i, on, ipv4)),
    ],
    [
      3,
      fc.tuple(n, kind).map(
        ([i, on]): Command =>
          (world, fresh) =>
            decideDetachment(world.view, fresh, world.model.getNetwork(on), container(world, i)),
      ),
    ],
    [
      2,
      n.map(
        (i): Command =>
          (world) =>
            decideEnd(world.view, container(world, i), container(world, i)),
      ),
    ],
    [
      1,
      n.map(
        (i): Command =>
          (world, fresh) =>
            decideRename(world.view, container(world, i), `renamed-${fresh.id.slice(-6)}`),
      ),
    ],
    [
      1,
      n.map(
        (i): Command =>
          (world) =>
            decideUnlinking(world.view, container(world, i), 'db'),
      ),
    ],
  ];
})();

const command = fc.oneof(...COMMANDS.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const begun = (): World => {
  const world = createWorld();
  // What macvlan networks stand on.
  world.kernel.meddle('create', {
    kind: 'link',
    type: 'dummy',
    ns: 'host',
    name: 'eth9',
    mtu: 1500,
    up: true,
  });
  for (const i of [0, 1, 2])
    world.ledger.commit([
      { table: 'container', id: nth(i), value: aContainer({ id: nth(i), name: `c${i}` }) },
    ]);
  return world;
};

/** Of the records, and of those that an index finds. */
const orderOf = ({ model }: World) => [
  ...model.networks.keys(),
  ...[...model.sandboxes.keys()].map((id) => model.endpointsOfSandbox(id).map((e) => e.id)),
];

/** undefined: refused, in words. */
const decided = (command: Command, world: World, fresh: Fresh): Decision | undefined => {
  try {
    return command(world, fresh);
  } catch (error) {
    if (error instanceof ViaductError) return undefined;
    throw error;
  }
};

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
      { numRuns: 150 },
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
        for (const i of [0, 1, 2])
          run(
            (w) => decideEnd(w.view, w.model.getContainer(nth(i)), aContainer({ id: nth(i), name: `c${i}` })),
            0,
          );
        for (const { id } of [...world.model.networks.values()]) run(remove(id), 0);
        const paid = [...world.model.owed.keys()].map((id) => ({ table: 'owed', id, value: null }) as const);
        world.ledger.commit(paid);
        expect(world.state()).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  it('docker_gwbridge is made in the commit of the endpoint that needs it, and a refusal leaves neither', () => {
    const world = begun();
    const run = (each: Command, i: number): void => world.ledger.commit(each(world, freshOf(i)).changes);
    run(create('plugin'), 1);
    run(start(0, [], ''), 2);
    const before = world.state();
    for (let step = 1; ; step += 1) {
      world.kernel.failAt(step);
      if (!refused(() => run(connect(0, 'plugin', undefined), 3))) break;
      expect(world.state()).toEqual(before);
    }
    world.kernel.failAt(0);
    const gateway = world.model.getNetwork(GATEWAY_NETWORK);
    expect(world.model.endpointsOfNetwork(gateway.id).map((e) => e.ipv4)).toEqual(['172.17.0.2/16']);
    expect(world.model.endpointsOfNetwork(world.model.getNetwork('plugin').id)).toHaveLength(1);
    run(
      ({ view }, fresh) =>
        decideDetachment(view, fresh, view.model.getNetwork('plugin'), view.model.getContainer(nth(0))),
      4,
    );
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

/** What users ask for, at random: services of all kinds, changes of them, nodes emptied and taken away. */
import { createNetwork, removeNetwork } from '../../src/cluster/control/commands/networks.js';
import {
  createService,
  removeService,
  rollbackService,
  updateService,
} from '../../src/cluster/control/commands/services.js';
import { type CommandView, unitOf } from '../../src/cluster/control/commands/view.js';
import type { Edit, Unit } from '../../src/cluster/control/draft.js';
import { transaction } from '../../src/cluster/control/transactions.js';
import { ViaductError } from '../../src/errors.js';
import { unwritten } from '../../src/model/swarm/kept.js';
import type { Node } from '../../src/model/swarm/node.js';
import type { Service, ServiceMode, ServiceSpec, UpdateConfig } from '../../src/model/swarm/service.js';
import { PREFIX } from './mirror.js';
import { IMAGES } from './node.js';
import type { Random } from './random.js';
import type { World } from './world.js';

const MS = 1_000_000;
const GIB = 1024 ** 3;

const viewOf = (world: World): CommandView | undefined => {
  const manager = world.random.pick(world.managers.filter(({ usable }) => usable));
  manager?.mirror.catchUp();
  return manager && { state: manager.mirror.state, now: world.clock.now, newId: world.newId };
};

/** Refusals are answers; a command that came too late changes nothing. */
const ask = (world: World, command: (view: CommandView) => Unit | undefined): void => {
  const view = viewOf(world);
  if (!view) return;
  try {
    const unit = command(view);
    if (unit) world.store.commit(transaction(unit, PREFIX));
  } catch (error) {
    if (!(error instanceof ViaductError)) throw error;
    world.say(`refused: ${error.message}`);
  }
};

const edit = (world: World, edits: (view: CommandView) => readonly Edit[]): void =>
  ask(world, (view) => {
    const wanted = edits(view);
    return wanted.length > 0 ? unitOf(view, wanted) : undefined;
  });

const network = (name: string, ingress: boolean, subnet?: string) => ({
  network: {
    name,
    driver: 'overlay',
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    configOnly: false,
    configFrom: '',
    options: {},
    labels: {},
    ipam: { driver: 'default', options: null, config: subnet === undefined ? [] : [{ subnet }] },
    predefined: false,
  },
  ingress,
  overlay: { vnis: [], port: 4789, mtu: 1450 },
});

const anImage = (random: Random): string =>
  `${random.chance(0.6) ? 'fine' : random.pick(IMAGES)}:${random.between(1, 1000)}`;

const config = (random: Random): UpdateConfig => ({
  parallelism: random.between(0, 3),
  delay: random.chance(0.7) ? 0 : 2000 * MS,
  failureAction: random.pick(['pause', 'continue', 'rollback'] as const) ?? 'pause',
  ...(random.chance(0.5) ? { monitor: random.between(0, 4) * 1000 * MS } : {}),
  maxFailureRatio: random.pick([0, 0, 0.3, 1]) ?? 0,
  order: random.chance(0.4) ? 'start-first' : 'stop-first',
});

const aMode = (random: Random): ServiceMode => {
  const kind = random.pick([
    'replicated',
    'replicated',
    'replicated',
    'global',
    'replicated-job',
    'global-job',
  ] as const);
  if (kind === 'global' || kind === 'global-job') return { kind };
  if (kind === 'replicated-job')
    return { kind, maxConcurrent: random.between(1, 3), totalCompletions: random.between(1, 4) };
  return { kind: 'replicated', replicas: random.between(0, 6) };
};

const aSpec = (world: World, { state }: CommandView, name: string): ServiceSpec => {
  const { random } = world;
  const mode = aMode(random);
  const networks = [...state.all('network').values()].filter(({ ingress }) => !ingress);
  const used = networks
    .filter(() => random.chance(0.4))
    .map(({ id }) => ({ target: id, aliases: [], options: {} }));
  const secrets = [...state.all('secret').values()].filter(() => random.chance(0.3));
  const published = random.pick([0, 0, 8080, 8081, 30_000]) ?? 0;
  const ports = random.chance(0.5)
    ? [
        {
          name: '',
          protocol: 'tcp' as const,
          targetPort: 80,
          publishedPort: published,
          mode: random.pick(['ingress', 'host'] as const) ?? 'ingress',
        },
      ]
    : [];
  return {
    name,
    labels: {},
    mode,
    task: {
      container: { Image: anImage(random) },
      secrets: secrets.map((secret) => ({ id: secret.id, name: secret.name })),
      configs: [],
      networks: used,
      forceUpdate: 0,
      ...(random.chance(0.5)
        ? {
            restart: {
              condition: random.pick(['any', 'any', 'on-failure', 'none'] as const) ?? 'any',
              delay: random.between(0, 3) * 1000 * MS,
              maxAttempts: random.pick([0, 0, 2]) ?? 0,
              ...(random.chance(0.3) ? { window: 20_000 * MS } : {}),
            },
          }
        : {}),
      ...(random.chance(0.3)
        ? {
            placement: {
              constraints: random.chance(0.5) ? ['node.labels.zone == a'] : [],
              spread: random.chance(0.5) ? ['node.labels.zone'] : [],
              maxReplicas: random.pick([0, 0, 2]) ?? 0,
              platforms: [],
            },
          }
        : {}),
      ...(random.chance(0.3)
        ? { resources: { reservations: { nanoCpus: 5e8, memoryBytes: GIB, generic: [] } } }
        : {}),
    },
    ...(mode.kind.endsWith('job') ? {} : { update: config(random), rollback: config(random) }),
    ...(ports.length > 0 ? { endpoint: { mode: 'vip' as const, ports } } : {}),
  };
};

const changed = (world: World, view: CommandView, service: Service): ServiceSpec => {
  const { random } = world;
  const { spec } = service;
  if (spec.mode.kind === 'replicated' && random.chance(0.4))
    return { ...spec, mode: { kind: 'replicated', replicas: random.between(0, 6) } };
  if (random.chance(0.2)) return { ...spec, task: { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 } };
  if (random.chance(0.3)) {
    const other = aSpec(world, view, spec.name);
    return {
      ...other,
      mode: spec.mode,
      ...(spec.mode.kind.endsWith('job') ? { update: undefined } : {}),
    } as ServiceSpec; // jobs have none
  }
  const container = { Image: anImage(random) };
  return { ...spec, task: { ...spec.task, container }, ...(spec.update ? { update: config(random) } : {}) };
};

const NAMES = ['web', 'api', 'db', 'job', 'log'] as const;

const someService = (world: World, { state }: CommandView): Service | undefined =>
  world.random.pick([...state.all('service').values()]);

const someNode = (world: World, { state }: CommandView): Node | undefined =>
  world.random.pick([...state.all('node').values()]);

type Command = (world: World) => void;

const create: Command = (world) =>
  ask(world, (view) => {
    const name = world.random.pick(NAMES) ?? 'web';
    return createService(view, aSpec(world, view, name)).unit;
  });

const update: Command = (world) =>
  ask(world, (view) => {
    const service = someService(world, view);
    return service && updateService(view, service.id, service.version, changed(world, view, service));
  });

const rollback: Command = (world) =>
  ask(world, (view) => {
    const service = someService(world, view);
    return service && rollbackService(view, service.id, service.version);
  });

const remove: Command = (world) =>
  ask(world, (view) => {
    const service = someService(world, view);
    return service && removeService(view, service.id);
  });

const changeNode: Command = (world) =>
  edit(world, (view) => {
    const { random } = world;
    const node = someNode(world, view);
    if (!node) return [];
    return random.chance(0.5)
      ? [
          [
            'node',
            {
              ...node,
              availability: random.pick(['active', 'active', 'pause', 'drain'] as const) ?? 'active',
            },
          ],
        ]
      : [['node', { ...node, labels: { zone: random.pick(['a', 'b']) ?? 'a' } }]];
  });

const removeNode: Command = (world) =>
  edit(world, (view) => {
    const node = someNode(world, view);
    if (!node || view.state.all('node').size < 3 || node.status.state !== 'down') return [];
    const number = view.state.get('number', String(node.number));
    return [['node', node, 'remove'], ...(number ? [['number', number, 'remove'] as const] : [])];
  });

const addNode: Command = (world) => {
  if (world.nodes.length < 8) world.join();
};

const addNetwork: Command = (world) =>
  ask(world, (view) => {
    const { random } = world;
    const small = random.chance(0.3) ? `10.250.${random.between(0, 9)}.0/28` : undefined;
    return createNetwork(view, network(`net${random.between(1, 3)}`, false, small)).unit;
  });

const dropNetwork: Command = (world) =>
  ask(world, (view) => {
    const found = world.random.pick(
      [...view.state.all('network').values()].filter(({ ingress }) => !ingress),
    );
    return found && removeNetwork(view, found.id);
  });

const addSecret: Command = (world) =>
  edit(world, ({ now, newId }) => [
    [
      'secret',
      {
        ...unwritten(now),
        id: newId(),
        name: `s${now}`,
        labels: {},
        data: '',
        createdAt: now,
        updatedAt: now,
      },
    ],
  ]);

const COMMANDS: readonly (readonly [weight: number, command: Command])[] = [
  [6, create],
  [8, update],
  [2, rollback],
  [3, remove],
  [5, changeNode],
  [2, removeNode],
  [2, addNode],
  [2, addNetwork],
  [1, dropNetwork],
  [1, addSecret],
];
const WEIGHTED = COMMANDS.flatMap(([weight, command]) => Array.from({ length: weight }, () => command));

export const doSomething = (world: World): void => world.random.pick(WEIGHTED)?.(world);

/** What there is in every cluster. */
export const found = (world: World): void => {
  edit(world, ({ now }) => [
    [
      'cluster',
      {
        ...unwritten(now),
        id: 'sim',
        spec: {
          labels: {},
          historyLimit: world.random.pick([5, 5, 1, 0]) ?? 5,
          heartbeatPeriod: 5e9,
          nodeCertExpiry: 0,
          forceRotate: 0,
          autoLock: false,
          raft: {
            snapshotInterval: 0,
            keepOldSnapshots: 0,
            logEntriesForSlowFollowers: 0,
            electionTick: 0,
            heartbeatTick: 0,
          },
        },
        createdAt: now,
        updatedAt: now,
        authorities: '',
        addressPools: ['10.0.0.0/8'],
        subnetSize: 24,
        dataPort: 4789,
      },
    ],
  ]);
  ask(world, (view) => createNetwork(view, network('ingress', true)).unit);
};

export const joinNode = (world: World, id: string): void =>
  edit(world, ({ now }) => [
    [
      'node',
      {
        ...unwritten(now),
        id,
        name: '',
        labels: { zone: world.random.pick(['a', 'b']) ?? 'a' },
        role: 'worker',
        availability: 'active',
        createdAt: now,
        updatedAt: now,
        number: 0,
        status: { state: 'unknown', message: '' },
      },
    ],
    [
      'node-state',
      {
        ...unwritten(now),
        id,
        description: {
          hostname: id,
          architecture: 'x86_64',
          os: 'linux',
          nanoCpus: 2e9,
          memoryBytes: 3 * GIB,
          engineVersion: '',
          labels: {},
          plugins: [],
          tls: { trustRoot: '', issuerSubject: '', issuerPublicKey: '' },
        },
        address: '192.0.2.1',
        dataAddress: '192.0.2.1',
        faults: [],
        routes: ['10.0.3.0/24'],
      },
    ],
  ]);

/**
 * S3: whatever is wanted of a node's tasks, and whatever happens to their containers and to its daemon, in whichever order: a task has one
 * container at most and never a second one, what is said of it never goes back, and in the end it is where it is wanted.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskItem } from '../../src/cluster/agent/container.js';
import type { TaskContainer, TaskEngine } from '../../src/cluster/agent/contract.js';
import { createTasks, type Tasks } from '../../src/cluster/agent/tasks.js';
import type { TaskSaid } from '../../src/cluster/session/assigned.js';
import { unavailable } from '../../src/errors.js';
import type { Logger } from '../../src/log.js';
import { type DesiredState, hasEnded, isAfter, NEXT_DESIRED } from '../../src/model/swarm/task.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const IDS = ['t1', 't2'] as const;

const aTask = (id: string, desired: DesiredState): TaskItem => ({
  kind: 'task',
  ...{ id, serviceId: 's', spec: 1, slot: 1, nodeId: 'n', desired, networks: [], delay: 0, createdAt: 0 },
  status: { state: 'assigned', message: '', err: '', at: 0 },
  service: { name: 'web', labels: {} },
  made: { container: { Image: 'i' }, secrets: [], configs: [], networks: [], forceUpdate: 0 },
  ports: [],
});

/** What may go wrong with the next command, and whether containers have health checks. */
interface Weather {
  readonly fails: 'nothing' | 'image' | 'create' | 'start' | 'stop';
  readonly checked: boolean;
}

type Held = TaskContainer & { readonly taskId: string };

class World implements TaskEngine {
  readonly there = new Map<string, Held>();
  /** tasks whose container was started */
  readonly ran = new Set<string>();
  readonly wanted = new Map<string, TaskItem>();
  readonly said = new Map<string, TaskSaid>();
  /** a task that was taken from its node never comes back */
  readonly gone = new Set<string>();
  readonly faults: string[] = [];
  knows = true;
  weather: Weather = { fails: 'nothing', checked: false };
  #listener = (_: string): void => {};
  #over = new AbortController();
  tasks: Tasks;

  constructor() {
    this.tasks = this.#begin();
  }

  #begin(): Tasks {
    return createTasks({
      engine: this,
      files: { lay: async () => [], has: () => true, clear: async () => {}, sweep: async () => {} },
      here: { nodeId: 'n', hostname: 'h', architecture: 'x86_64', os: 'linux' },
      item: () => undefined,
      makeNetwork: () => {},
      knows: () => this.knows,
      wanted: (id) => this.wanted.get(id),
      said: this.said,
      told: (id) => this.#judge(id),
      ended: () => {},
      now: () => 1,
      pause: async () => {},
      log: silent,
      signal: this.#over.signal,
    });
  }

  readonly #states = new Map<string, TaskSaid['state']>();
  #judge(id: string): void {
    const state = this.said.get(id)?.state;
    const before = this.#states.get(id);
    if (!state) return;
    if (before && !isAfter(state, before)) this.faults.push(`${id} went from ${before} to ${state}`);
    this.#states.set(id, state);
  }

  /** The daemon ends behind the command that it has given, and is started again with what it kept. */
  async restart(): Promise<void> {
    this.#over.abort();
    await this.tasks.settled();
    this.#over = new AbortController();
    this.tasks = this.#begin();
    this.tasks.lookAtAll(this.wanted.keys());
  }

  change(id: string, change: Partial<TaskContainer> | null): void {
    const container = this.there.get(id);
    if (!container) return;
    if (change) this.there.set(id, { ...container, ...change });
    else this.there.delete(id);
    this.#listener(container.taskId);
  }

  #fail(what: Weather['fails']): void {
    if (this.weather.fails !== what) return;
    this.weather = { ...this.weather, fails: 'nothing' };
    throw unavailable(`${what} fails`);
  }

  container = (taskId: string): Held | undefined => this.there.get(`c-${taskId}`);
  taskIds = (): readonly string[] => [...this.there.values()].map(({ taskId }) => taskId);
  onChange = (listener: (taskId: string) => void): (() => void) => {
    this.#listener = listener;
    return () => {};
  };
  prepareImage = async (): Promise<void> => this.#fail('image');
  create = async (taskId: string): Promise<string> => {
    await Promise.resolve();
    this.#fail('create');
    if (this.ran.has(taskId) || this.there.has(`c-${taskId}`))
      this.faults.push(`${taskId} has a second container`);
    const container: Held = {
      ...{ id: `c-${taskId}`, taskId, status: 'created', pid: 0, exitCode: 0, error: '', ports: [] },
    };
    this.there.set(container.id, container);
    return container.id;
  };
  start = async (id: string): Promise<void> => {
    await Promise.resolve();
    this.#fail('start');
    const { checked } = this.weather;
    const taskId = this.there.get(id)?.taskId ?? '';
    if (this.ran.has(taskId)) this.faults.push(`${taskId} is started again`);
    this.ran.add(taskId);
    this.change(id, { status: 'running', pid: 1, ...(checked ? { health: 'starting' as const } : {}) });
  };
  stop = async (id: string): Promise<void> => {
    await Promise.resolve();
    this.#fail('stop');
    if (this.there.get(id)?.pid) this.change(id, { status: 'exited', pid: 0, exitCode: 143 });
  };
  remove = async (id: string): Promise<void> => this.change(id, null);
}

type Event = (world: World) => void | Promise<void>;
const id = fc.constantFrom(...IDS);
const containerId = id.map((each) => `c-${each}`);
const up = ({ pid }: TaskContainer): boolean => pid !== 0;
const named = <T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  act: (world: World, value: T) => void | Promise<void>,
) =>
  arbitrary.map(
    (value): Event =>
      Object.assign((world: World) => act(world, value), {
        [fc.toStringMethod]: () => `${name} ${fc.stringify(value)}`,
      }),
  );

const want = (world: World, task: string, desired: DesiredState): void => {
  const known = world.wanted.get(task);
  if (known ? !NEXT_DESIRED[known.desired].includes(desired) : world.gone.has(task)) return;
  world.wanted.set(task, known ? { ...known, desired } : aTask(task, desired));
  world.tasks.look(task);
};

const event: fc.Arbitrary<Event> = fc.oneof(
  named(
    'want',
    fc.tuple(id, fc.constantFrom<DesiredState>('ready', 'running', 'complete', 'shutdown', 'remove')),
    (world, [task, desired]) => want(world, task, desired),
  ),
  named('end over its head', id, (world, task) => {
    const known = world.wanted.get(task);
    if (!known) return;
    world.wanted.set(task, { ...known, status: { ...known.status, state: 'rejected' } });
    world.tasks.look(task);
  }),
  named('unassign', id, (world, task) => {
    if (world.wanted.delete(task)) world.gone.add(task);
    world.tasks.look(task);
  }),
  named('exit', fc.tuple(containerId, fc.constantFrom(0, 1)), (world, [container, exitCode]) => {
    const known = world.there.get(container);
    if (known && up(known)) world.change(container, { status: 'exited', pid: 0, exitCode });
  }),
  named(
    'health',
    fc.tuple(containerId, fc.constantFrom('healthy', 'unhealthy')),
    (world, [container, health]) => {
      const known = world.there.get(container);
      if (known?.health && up(known)) world.change(container, { health });
    },
  ),
  named('docker start', containerId, (world, container) => {
    if (world.there.get(container)?.status === 'exited')
      world.change(container, { status: 'running', pid: 1 });
  }),
  named('docker rm', containerId, (world, container) => world.change(container, null)),
  named('restart', fc.constant(0), (world) => world.restart()),
  named(
    'weather',
    fc.record({
      fails: fc.constantFrom<Weather['fails']>('nothing', 'image', 'create', 'start', 'stop'),
      checked: fc.boolean(),
    }),
    (world, weather) => {
      world.weather = weather;
    },
  ),
);

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await Promise.resolve();
};

const judge = (world: World, task: string): void => {
  const [container, wanted] = [world.there.get(`c-${task}`), world.wanted.get(task)];
  const said = world.said.get(task)?.state;
  if (!wanted) {
    expect([container, said]).toEqual([undefined, undefined]);
    return;
  }
  if (said && hasEnded(said)) {
    expect(container ? up(container) : false).toBe(false);
    return;
  }
  expect(['ready', 'running', 'complete']).toContain(wanted.desired);
  expect(wanted.status.state).toBe('assigned');
  if (wanted.desired === 'ready') expect(container?.status).toBe('created');
  else expect(container && up(container)).toBe(true);
  const waits = container?.health === 'starting';
  expect(said).toBe(wanted.desired === 'ready' ? 'ready' : waits ? 'starting' : 'running');
};

test('S3: any order of events ends in what is wanted, with one container a task', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(event, fc.nat({ max: 60 })), { minLength: 5, maxLength: 30, size: 'max' }),
      async (events) => {
        const world = new World();
        for (const [act, pause] of events) {
          await act(world);
          await turns(pause);
        }
        world.weather = { ...world.weather, fails: 'nothing' };
        await world.tasks.settled();
        expect(world.faults).toEqual([]);
        for (const task of IDS) judge(world, task);
      },
    ),
    { numRuns: 400 },
  );
});

test('S11: before it is known what is wanted nothing ends, whatever its containers say', async () => {
  const world = new World();
  world.there.set('c-t1', {
    id: 'c-t1',
    taskId: 't1',
    status: 'running',
    pid: 1,
    exitCode: 0,
    error: '',
    ports: [],
  });
  world.knows = false;
  world.tasks.lookAtAll([]);
  world.change('t1', {});
  world.change('c-t1', { health: 'healthy' });
  await world.tasks.settled();
  expect(world.there.get('c-t1')?.pid).toBe(1);
  world.knows = true;
  world.tasks.lookAtAll([]);
  await world.tasks.settled();
  expect(world.there.size).toBe(0);
});

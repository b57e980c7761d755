/** S3: logs of services: records of any bytes, readers at any pace, places to go on from, and when a log is over. */
import { type Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TaskLogs } from '../../src/cluster/agent/contract.js';
import type { LogWish, ServiceLine } from '../../src/cluster/contract.js';
import { ClusterState } from '../../src/cluster/control/state.js';
import { createBranch, type Line, type Source } from '../../src/cluster/logs/branch.js';
import { createFunnel } from '../../src/cluster/logs/funnel.js';
import { createGathering } from '../../src/cluster/logs/gather.js';
import { decodeRecord, encodeRecord, type LogRecord, SILENT_MS } from '../../src/cluster/logs/records.js';
import { isBehind, type Place, placeAfter } from '../../src/cluster/logs/resume.js';
import { taskLog } from '../../src/cluster/logs/task-log.js';
import { frameDecoder } from '../../src/cluster/session/frames.js';
import type { LogOrder } from '../../src/cluster/session/protocol.js';
import { unavailable } from '../../src/errors.js';
import type { Task } from '../../src/model/swarm/task.js';
import { until } from '../support/run.js';
import { aNode, aService, aSpec, aTask, NOW } from '../support/swarm-records.js';

const HEADER = 4;
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const at = (second: number): string => `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000001Z`;
const line = (task: number, text: string, second = 0): Buffer =>
  encodeRecord({ kind: 'stdout', task, time: at(second), text: Buffer.from(text) });
const end = (task: number, reason = ''): Buffer => encodeRecord({ kind: 'end', task, reason });

describe('S3: records', () => {
  const task = fc.integer({ min: 0, max: 0xffffffff });
  const anyRecord: fc.Arbitrary<LogRecord> = fc.oneof(
    fc.constant({ kind: 'beat' as const }),
    fc.record({ kind: fc.constant('end' as const), task, reason: fc.string() }),
    fc.record({
      kind: fc.constantFrom('stdout' as const, 'stderr' as const),
      task,
      time: fc.integer({ min: 0, max: 59 }).map(at),
      text: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    }),
  );

  test('come out as they went in', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const bytes = encodeRecord(record);
        expect(bytes.readUInt32BE(0)).toBe(bytes.length - HEADER);
        expect(decodeRecord(bytes.subarray(HEADER))).toEqual(record);
      }),
    );
  });

  test('of any bytes are read or refused, and a time in them is one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          const record = decodeRecord(Buffer.from(bytes));
          if ('time' in record) expect(Date.parse(record.time)).not.toBeNaN();
        } catch (error) {
          expect((error as Error).message).toMatch(/^(a record of no kind|a line without a time)$/);
        }
      }),
    );
  });

  test('of a line whose time cannot be read have one all the same', () => {
    const bytes = encodeRecord({ kind: 'stdout', task: 1, time: 'once upon a time', text: Buffer.from('x') });
    expect(decodeRecord(bytes.subarray(HEADER))).toMatchObject({ time: '1970-01-01T00:00:00.000000000Z' });
  });
});

test('S3: wherever a reader stopped, another reading goes on with the next line', () => {
  const times = fc
    .array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 })
    .map((all) => all.toSorted().map(at));
  fc.assert(
    fc.property(times, fc.nat({ max: 30 }), fc.boolean(), (all, cut, fromTime) => {
      const had = all.slice(0, cut);
      const place = had.reduce<Place | undefined>((before, time) => placeAfter(before, time), undefined);
      const read = all.filter((time) => !fromTime || place === undefined || time >= place.time);
      const behind = isBehind(place);
      expect(read.filter((time) => behind(time))).toEqual(all.slice(cut));
    }),
  );
});

describe('S3: a funnel', () => {
  test('takes one piece of each source, and the next when that was read', async () => {
    const funnel = createFunnel<string>();
    const put: string[] = [];
    const source = async (name: string): Promise<void> => {
      for (const number of [1, 2, 3]) {
        await funnel.put(name + number);
        put.push(name + number);
      }
    };
    const done = Promise.all([source('a'), source('b')]).then(() => funnel.end());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(put).toEqual([]);
    const got: string[] = [];
    for await (const piece of funnel.read()) got.push(piece);
    await done;
    expect(got.filter((piece) => piece.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
    expect(got.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
  });

  test('throws its reason behind all that was put, and holds nobody whose reader has left', async () => {
    const funnel = createFunnel<number>();
    void funnel.put(1);
    funnel.end(new Error('half of it'));
    const got: number[] = [];
    const read = async () => {
      for await (const piece of funnel.read()) got.push(piece);
    };
    await expect(read()).rejects.toThrow('half of it');
    expect(got).toEqual([1]);
    await funnel.put(2);

    const left = createFunnel<number>();
    const [first, second] = [left.put(1), left.put(2)];
    for await (const _ of left.read()) break;
    await Promise.all([first, second, left.put(3)]);
  });
});

const ordered = (socket: Duplex): LogOrder[] => {
  const orders: LogOrder[] = [];
  const decode = frameDecoder(() => 1_000_000);
  socket.on('data', (chunk: Buffer) => {
    for (const message of decode(chunk) as LogOrder[]) if (message.type === 'logs') orders.push(message);
  });
  return orders;
};

describe('S3: a connection with logs', () => {
  const aSource = (taskId: string): Source => ({
    taskId,
    nodeId: 'n1',
    tail: -1,
    place: undefined,
    ended: false,
  });
  const begin = (put: (lines: readonly Line[]) => Promise<void> = async () => {}) => {
    const [socket, node] = duplexPair();
    const ends: string[] = [];
    const branch = createBranch(socket, {
      nodeId: 'n1',
      wish: { stdout: true, stderr: true, since: 0, follow: true },
      put,
      ended: ({ taskId }, reason) => ends.push(`${taskId} ${reason}`),
    });
    node.on('error', () => {});
    return { branch, node, ends, orders: ordered(node) };
  };

  test('has the lines of each task, then its end', async () => {
    const got: string[] = [];
    const { branch, node, ends } = begin(async (lines) => {
      for (const { source, text } of lines) got.push(`${source.taskId} ${text}`);
    });
    branch.order([aSource('t1'), aSource('t2')]);
    const over = branch.run();
    node.write(Buffer.concat([line(1, 'b'), line(0, 'a'), end(1, 'gone'), line(0, 'c')]));
    await until('all is there', () => got.length === 3);
    expect([got, ends]).toEqual([['t2 b', 't1 a', 't1 c'], ['t2 gone']]);
    branch.close();
    await over;
  });

  test.each([
    ['a task that nobody asked for', [line(5, 'x')]],
    ['a task behind its end', [end(0), line(0, 'x')]],
    ['a line without a time', [Buffer.from([0, 0, 0, 7, 1, 0, 0, 0, 0, 1, 65])]],
    ['a record that is too long', [Buffer.from([0x7f, 0, 0, 0])]],
  ])('ends with %s', async (_, pieces) => {
    const { branch, node } = begin();
    branch.order([aSource('t1')]);
    const over = branch.run();
    node.write(Buffer.concat(pieces));
    await expect(over).rejects.toThrow('node n1 disconnected unexpectedly');
  });

  test('reads no more while nobody takes the lines', async () => {
    let release = (): void => {};
    const { branch, node } = begin(() => new Promise<void>((resolve) => (release = resolve)));
    branch.order([aSource('t1')]);
    void branch.run();
    let written = 0;
    const piece = line(0, 'x'.repeat(1000));
    const fill = async (): Promise<void> => {
      while (written < 10_000 && node.write(piece)) written += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (let round = 0; round < 20; round += 1) await fill();
    expect(written).toBeLessThan(500);
    const releasing = setInterval(() => release(), 1);
    const before = written;
    for (let round = 0; round < 20; round += 1) await fill();
    clearInterval(releasing);
    expect(written).toBeGreaterThan(2 * before);
    branch.close();
  });

  describe('with a clock', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
    afterEach(() => void vi.useRealTimers());

    test('ends when the node is silent, not when it only has nothing to say', async () => {
      const { branch, node } = begin();
      branch.order([aSource('t1')]);
      const over = branch.run();
      for (let beats = 0; beats < 20; beats += 1) {
        node.write(encodeRecord({ kind: 'beat' }));
        await new Promise((resolve) => setTimeout(resolve, 2));
        vi.advanceTimersByTime(SILENT_MS / 2);
      }
      const still = Symbol('still');
      expect(await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 5, still))])).toBe(still);
      vi.advanceTimersByTime(SILENT_MS * 2);
      await expect(over).rejects.toThrow('disconnected unexpectedly');
    });
  });
});

/** A connection as a node holds it, and the manager's end of it. */
interface AtNode {
  readonly socket: Duplex;
  readonly manager: Duplex;
  readonly orders: LogOrder[];
}

describe('S3: what a client gets', () => {
  const service = aService(aSpec());
  const wish: LogWish = { stdout: true, stderr: true, since: 0, follow: false, tail: 7 };
  let state: ClusterState;
  beforeEach(() => {
    state = new ClusterState(NOW, new Set());
    state.set('service', service.id, service, NOW);
    for (const id of ['n1', 'n2']) state.set('node', id, aNode(id), NOW);
  });
  const set = (task: Task): void => state.set('task', task.id, task, NOW);

  /** Each node's next connection, as the node holds it. */
  const begin = (changes: Partial<LogWish> = {}, taskId?: string) => {
    const nodes = new Map<string, AtNode>();
    const away = new Set<string>();
    const gathering = createGathering(
      {
        ...{ state, log: quiet, gone: () => {} },
        async call(nodeId) {
          if (away.has(nodeId)) throw unavailable(`node ${nodeId} is not available`);
          const [socket, node] = duplexPair();
          node.on('error', () => {});
          nodes.set(nodeId, { manager: socket, socket: node, orders: ordered(node) });
          return socket;
        },
      },
      { serviceId: service.id, ...(taskId === undefined ? {} : { taskId }) },
      { ...wish, ...changes },
    );
    const got: string[] = [];
    const read = async (): Promise<void> => {
      for await (const { text, taskId, nodeId } of gathering.lines() as AsyncIterable<ServiceLine>)
        got.push(`${nodeId} ${taskId} ${text}`);
    };
    const node = async (id: string) => {
      await until(`${id} has its order`, () => (nodes.get(id)?.orders.length ?? 0) > 0);
      return nodes.get(id) as AtNode;
    };
    return { gathering, got, read, node, away };
  };

  test('is all that tasks have, from all nodes, and then it is over', async () => {
    for (const [id, nodeId] of [
      ['t1', 'n1'],
      ['t2', 'n2'],
      ['t3', 'n2'],
    ] as const)
      set(aTask(service, { id, nodeId }));
    const { got, read, node } = begin();
    const over = read();
    const [one, two] = [await node('n1'), await node('n2')];
    expect(two.orders[0]?.tasks.map(({ id, tail }) => [id, tail])).toEqual([
      ['t2', 7],
      ['t3', 7],
    ]);
    one.socket.write(Buffer.concat([line(0, 'a'), end(0)]));
    two.socket.write(Buffer.concat([end(0), line(1, 'b'), end(1)]));
    await over;
    expect(got.toSorted()).toEqual(['n1 t1 a', 'n2 t3 b']);
  });

  test('says in Docker’s words what could not be had', async () => {
    set(aTask(service, { id: 't1', nodeId: 'n1' }));
    set(aTask(service, { id: 't2', nodeId: 'n2' }));
    set(aTask(service, { id: 't3', nodeId: '' }));
    const { got, read, node, away } = begin();
    away.add('n2');
    const over = read();
    (await node('n1')).socket.end(line(0, 'a'));
    await expect(over).rejects.toThrow(
      'rpc error: code = Unknown desc = warning: incomplete log stream. some logs could not be retrieved for the following reasons: ',
    );
    for (const reason of [
      'task t3 has not been scheduled',
      'node n2 is not available',
      'node n1 disconnected unexpectedly',
    ])
      await expect(over).rejects.toThrow(reason);
    expect(got).toEqual(['n1 t1 a']);
  });

  test('of who follows has tasks that come later, whole, until the service and its tasks are gone', async () => {
    set(aTask(service, { id: 't1' }));
    const { gathering, got, read, node } = begin({ follow: true });
    const over = read();
    const one = await node('n1');
    set(aTask(service, { id: 't2' }));
    gathering.look();
    await until('it is ordered', () => one.orders.length === 2);
    expect(one.orders[1]?.tasks).toEqual([{ id: 't2', number: 1, tail: -1 }]);
    one.socket.write(Buffer.concat([line(1, 'late'), end(0), end(1)]));
    set(aTask(service, { id: 't3', nodeId: 'n2' }));
    gathering.look();
    const two = await node('n2');
    two.socket.write(end(0));
    state.set('service', service.id, undefined, NOW);
    for (const id of ['t1', 't2', 't3']) state.set('task', id, undefined, NOW);
    gathering.look();
    await over;
    expect(got).toEqual(['n1 t2 late']);
  });

  test('of who follows goes on behind the last line when a node is back', async () => {
    set(aTask(service, { id: 't1' }));
    const { gathering, got, read, node } = begin({ follow: true }, 't1');
    const over = read();
    const before = await node('n1');
    before.socket.end(Buffer.concat([line(0, 'a', 1), line(0, 'b', 2), line(0, 'c', 2)]));
    await until('it is asked again', async () => (await node('n1')) !== before);
    const again = await node('n1');
    expect(again.orders[0]?.tasks).toEqual([
      { id: 't1', number: 0, tail: 7, after: { time: at(2), lines: 2 } },
    ]);
    again.socket.write(Buffer.concat([line(0, 'd', 3), end(0)]));
    await over;
    expect(got.map((each) => each.slice(-1))).toEqual(['a', 'b', 'c', 'd']);
    gathering.close();
  });

  test('is over when nobody reads it any more, wherever it stood', async () => {
    set(aTask(service, { id: 't1' }));
    const { gathering, read, node } = begin({ follow: true });
    const over = read();
    const { manager } = await node('n1');
    gathering.close();
    await over;
    expect(manager.destroyed).toBe(true);
  });
});

describe('S3: a task’s log on its node', () => {
  const ORDER: LogOrder = { type: 'logs', stdout: true, stderr: true, since: 0, follow: true, tasks: [] };
  const LINES = ['a', 'b', 'c'].map((text, n) => ({
    stream: 'stdout' as const,
    time: at(n),
    text: Buffer.from(text),
  }));
  const begin = (standing: 'coming' | 'over' | undefined = 'coming') => {
    const listeners = new Set<(taskId: string) => void>();
    const asked: object[] = [];
    let status: 'created' | 'running' | undefined;
    const engine: TaskLogs = {
      container: () => status && { id: 'c1', status, pid: 1, exitCode: 0, error: '', ports: [] },
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      async *logs(id, request) {
        asked.push({ id, ...request });
        yield* LINES;
      },
    };
    const read = async (
      changes: Partial<LogOrder> = {},
      after?: Place,
      signal = new AbortController().signal,
    ) => {
      const got: string[] = [];
      const task = { id: 't1', number: 4, tail: 2, ...(after ? { after } : {}) };
      for await (const each of taskLog(
        { engine, standing: () => standing },
        { ...ORDER, ...changes },
        task,
        signal,
      ))
        got.push(`${each.task} ${each.text}`);
      return got;
    };
    const become = (next: 'created' | 'running'): void => {
      status = next;
      for (const listener of listeners) listener('t1');
    };
    return { read, become, asked, listeners };
  };

  test('is waited for by who follows, until its container runs', async () => {
    const { read, become, asked, listeners } = begin();
    const got = read();
    become('created');
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toEqual([]);
    become('running');
    expect(await got).toEqual(['4 a', '4 b', '4 c']);
    expect(asked).toEqual([
      { id: 'c1', stdout: true, stderr: true, follow: true, since: 0, until: 0, tail: 2 },
    ]);
    expect(listeners.size).toBe(0);
  });

  test('is nothing where there is no container and will be none', async () => {
    expect(await begin().read({ follow: false })).toEqual([]);
    expect(await begin('over').read()).toEqual([]);
  });

  test('is not waited for when nobody wants it any more', async () => {
    const gone = new AbortController();
    const { read, listeners } = begin();
    const got = read({}, undefined, gone.signal);
    await new Promise((resolve) => setTimeout(resolve, 10));
    gone.abort();
    expect(await got).toEqual([]);
    expect(listeners.size).toBe(0);
  });

  test('goes on behind a place, of which it may be the very last line', async () => {
    const { read, become, asked } = begin();
    become('running');
    expect(await read({}, { time: at(1), lines: 1 })).toEqual(['4 c']);
    expect(asked).toEqual([expect.objectContaining({ tail: -1, since: Date.parse(at(1)) })]);
    expect(await read({}, { time: at(2), lines: 1 })).toEqual([]);
  });
});

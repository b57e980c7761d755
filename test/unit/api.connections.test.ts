/** Which connection gives way when a listener has as many as it takes. */
import { Duplex, PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createConnections, LIMITS } from '../../src/api/http/connections.js';

const sockets = (count: number): PassThrough[] => Array.from({ length: count }, () => new PassThrough());
const open = (all: readonly PassThrough[]): boolean[] => all.map((socket) => !socket.destroyed);

describe('connections of a listener', () => {
  it('K11: the one idle longest gives way to a new one, never one with a request under way or taken over', () => {
    const [a, b, c, d, e, f] = sockets(6) as [
      PassThrough,
      PassThrough,
      PassThrough,
      PassThrough,
      PassThrough,
      PassThrough,
    ];
    const connections = createConnections({ ...LIMITS, most: 3 });
    for (const socket of [a, b, c]) connections.enter(socket);
    // `a` is answered a second time while `b` still waits for its answer; `c` has said nothing yet.
    connections.began(a);
    connections.began(b);
    connections.ended(a);
    connections.enter(d);
    expect(open([a, b, c, d])).toEqual([true, true, false, true]);
    connections.enter(e);
    expect(open([a, b, d, e])).toEqual([false, true, true, true]);
    connections.began(d);
    connections.began(e);
    connections.enter(f);
    expect(open([b, d, e, f])).toEqual([true, true, true, false]);
  });

  it('K11: of two requests on one connection both must have ended', () => {
    const [one, other, late] = sockets(3) as [PassThrough, PassThrough, PassThrough];
    const connections = createConnections({ ...LIMITS, most: 2 });
    connections.enter(one);
    connections.enter(other);
    connections.began(one);
    connections.began(one);
    connections.ended(one);
    connections.enter(late);
    expect(open([one, other, late])).toEqual([true, false, true]);
  });

  it('who has left takes no place', async () => {
    const [one, next] = sockets(2) as [PassThrough, PassThrough];
    const connections = createConnections({ ...LIMITS, most: 1 });
    connections.enter(one);
    connections.began(one);
    one.destroy();
    await new Promise((resolve) => one.once('close', resolve));
    connections.enter(next);
    connections.enter(next);
    expect(open([next])).toEqual([true]);
  });

  it('K11 M2: one that was released gives way again, when all that was said on it is on its way', async () => {
    const [taken, next] = sockets(2) as [PassThrough, PassThrough];
    const connections = createConnections({ ...LIMITS, most: 1 });
    connections.enter(taken);
    connections.began(taken);
    const finished = new Promise((resolve) => taken.once('finish', resolve));
    connections.release(taken);
    await finished;
    connections.enter(next);
    expect(open([taken, next])).toEqual([false, true]);
  });

  it('M2: one whose last bytes are not taken is let go of after a time, and its place is free', async () => {
    const unread = new Duplex({ read() {}, write() {} });
    const [next] = sockets(1) as [PassThrough];
    const connections = createConnections({ ...LIMITS, most: 1, unreadMs: 20 });
    connections.enter(unread);
    connections.began(unread);
    unread.write('last words');
    connections.release(unread);
    await new Promise((resolve) => unread.once('close', resolve));
    connections.enter(next);
    expect(open([next])).toEqual([true]);
  });
});

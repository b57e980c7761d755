/** Which connection gives way when a listener has as many as it takes. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createConnections } from '../../src/api/http/connections.js';

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
    const connections = createConnections(3);
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
    const connections = createConnections(2);
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
    const connections = createConnections(1);
    connections.enter(one);
    connections.began(one);
    one.destroy();
    await new Promise((resolve) => one.once('close', resolve));
    connections.enter(next);
    connections.enter(next);
    expect(open([next])).toEqual([true]);
  });
});

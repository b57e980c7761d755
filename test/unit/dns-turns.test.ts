/** Who may do how much in one turn of the event loop: counted, with turns that the test makes. */
import { describe, expect, it } from 'vitest';
import { createTurns, rotate, type Worker } from '../../src/dns/turns.js';

/** Has `left` pieces to do, each of `cost` units. */
const worker = (left: number, cost = 1) => {
  const one = {
    left,
    done: 0,
    waits: () => one.left > 0,
    work: (units: number): number => {
      let spent = 0;
      while (spent < units && one.left > 0) {
        one.left -= 1;
        one.done += 1;
        spent += cost;
      }
      return spent;
    },
  };
  return one;
};

const loop = (limits: { units: number; part: number }) => {
  const planned: (() => void)[] = [];
  const turns = createTurns(limits, (turn) => planned.push(turn));
  return {
    turns,
    planned: () => planned.length,
    turn: () => {
      for (const turn of planned.splice(0)) turn();
    },
  };
};

describe('turns of the event loop', () => {
  it('K6: one who has little waits no longer beside sixty who flood', () => {
    const { turns, turn, planned } = loop({ units: 640, part: 10 });
    const flooding = Array.from({ length: 60 }, () => worker(Number.POSITIVE_INFINITY));
    for (const one of flooding) turns.wake(one);
    for (let i = 1; i <= 20; i += 1) {
      const honest = worker(1);
      turns.wake(honest);
      turn();
      expect(honest.left).toBe(0);
      expect(flooding.reduce((sum, one) => sum + one.done, 0)).toBeLessThanOrEqual(i * 640);
      // One turn is planned, however many woke it.
      expect(planned()).toBe(1);
    }
    const shares = flooding.map((one) => one.done);
    // A part is what one may be ahead of another, and the honest one's single piece shifts it.
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2 * 10);
  });

  it('K6: where more wait than a turn can serve, all are served in the same measure', () => {
    const { turns, turn } = loop({ units: 64, part: 16 });
    const many = Array.from({ length: 100 }, () => worker(Number.POSITIVE_INFINITY));
    for (const one of many) turns.wake(one);
    for (let i = 0; i < 100; i += 1) turn();
    expect(new Set(many.map((one) => one.done))).toEqual(new Set([64]));
  });

  it('K6: who does dear work does less of it', () => {
    const cheap = worker(1000);
    const dear = worker(1000, 16);
    const waiting = new Set<Worker>([cheap, dear]);
    expect(rotate(waiting, 160, 16)).toBe(160);
    expect([cheap.done, dear.done]).toEqual([80, 5]);
  });

  it('plans nothing when nobody waits', () => {
    const { turns, turn, planned } = loop({ units: 64, part: 16 });
    const one = worker(20);
    turns.wake(one);
    turns.wake(one);
    turn();
    expect([one.left, planned()]).toEqual([0, 0]);
  });
});

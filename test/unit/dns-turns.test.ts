/** Who may do how much in one turn of the event loop: counted, with turns that the test makes. */
import { describe, expect, it } from 'vitest';
import { createTurns, type Limits, rotate, type Worker } from '../../src/dns/turns.js';

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

const loop = (limits: Limits) => {
  const planned: (() => void)[] = [];
  const rests: (() => void)[] = [];
  const turns = createTurns(
    limits,
    (turn) => planned.push(turn),
    (turn) => rests.push(turn),
  );
  const all = (list: (() => void)[]) => (): void => {
    for (const each of list.splice(0)) each();
  };
  return { turns, planned, rests, turn: all(planned), rest: all(rests) };
};

const floods = (count: number) => Array.from({ length: count }, () => worker(Number.POSITIVE_INFINITY));

describe('turns of the event loop', () => {
  it('K6: one who has little is served in its turn beside sixty who flood, and those rest', () => {
    const { turns, turn, rest, planned, rests } = loop({ units: 640, part: 10, rested: 10 });
    const flooding = floods(60);
    for (const one of flooding) turns.wake(one);
    turn();
    expect(new Set(flooding.map((one) => one.done))).toEqual(new Set([10]));
    for (let i = 1; i <= 60; i += 1) {
      const honest = worker(1);
      turns.wake(honest);
      // Who floods has nothing more by asking again.
      for (const one of flooding) turns.wake(one);
      expect([planned.length, rests.length]).toEqual([1, 1]);
      turn();
      expect(honest.left).toBe(0);
      rest();
      expect(flooding.reduce((sum, one) => sum + one.done, 0)).toBe(600 + 10 * i);
    }
    expect(new Set(flooding.map((one) => one.done))).toEqual(new Set([20]));
  });

  it('K6: where more come than a turn can serve, all are served in the same measure', () => {
    const { turns, turn, rest } = loop({ units: 64, part: 16, rested: 64 });
    const many = floods(100);
    for (const one of many) turns.wake(one);
    for (let i = 0; i < 25; i += 1) turn();
    for (let i = 0; i < 75; i += 1) rest();
    expect(new Set(many.map((one) => one.done))).toEqual(new Set([64]));
  });

  it('K6: who had more than a part and is done comes back as anybody else', () => {
    const { turns, turn, rest, planned } = loop({ units: 64, part: 16, rested: 16 });
    const one = worker(20);
    turns.wake(one);
    turn();
    rest();
    expect(one.left).toBe(0);
    one.left = 1;
    turns.wake(one);
    expect(planned).toHaveLength(1);
    turn();
    expect(one.left).toBe(0);
  });

  it('K6: who does dear work does less of it', () => {
    const cheap = worker(1000);
    const dear = worker(1000, 16);
    const waiting = new Set<Worker>([cheap, dear]);
    expect(rotate(waiting, 160, 16)).toBe(160);
    expect([cheap.done, dear.done]).toEqual([80, 5]);
  });

  it('plans nothing when nobody waits', () => {
    const { turns, turn, rest, planned, rests } = loop({ units: 64, part: 16, rested: 16 });
    const one = worker(20);
    turns.wake(one);
    turns.wake(one);
    turn();
    rest();
    expect([one.left, planned.length, rests.length]).toEqual([0, 0, 0]);
  });
});

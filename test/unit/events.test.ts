/** The event bus and its clock. */
import { describe, expect, test } from 'vitest';
import { createClock } from '../../src/engine/clock.js';
import { createEvents } from '../../src/engine/events.js';

const event = (action: string) => ({ type: 'network' as const, action, actor: { id: 'n', attributes: {} } });
const actions = (list: readonly { action: string }[]) => list.map(({ action }) => action);

describe('events', () => {
  test('a subscriber gets the past, then what comes, until it leaves', () => {
    const events = createEvents();
    events.publish(event('a'));
    const seen: string[] = [];
    const leave = events.subscribe(({ action }) => void seen.push(action));
    events.publish(event('b'));
    leave();
    events.publish(event('c'));
    expect(seen).toEqual(['a', 'b']);
    expect(actions(events.past())).toEqual(['a', 'b', 'c']);
  });
  test('the last ones are kept, at any moment neither more nor fewer', () => {
    const events = createEvents({ capacity: 3 });
    for (let i = 0; i < 20; i += 1) {
      events.publish(event(String(i)));
      expect(actions(events.past())).toEqual([i - 2, i - 1, i].filter((n) => n >= 0).map(String));
    }
  });
  test('a listener that throws is reported and disturbs nobody', () => {
    const errors: unknown[] = [];
    const events = createEvents({ onListenerError: (error) => void errors.push(error) });
    const seen: string[] = [];
    events.subscribe(() => {
      throw new Error('broken');
    });
    events.subscribe(({ action }) => void seen.push(action));
    events.publish(event('a'));
    expect(seen).toEqual(['a']);
    expect(errors).toEqual([new Error('broken')]);
  });
  test('who leaves during a delivery gets nothing more; who comes then gets it once', () => {
    const events = createEvents();
    const seen: string[] = [];
    events.subscribe(() => {
      leave();
      if (!late) late = events.subscribe(({ action }) => void seen.push(`late ${action}`));
    });
    const leave = events.subscribe(({ action }) => void seen.push(`second ${action}`));
    let late: (() => void) | undefined;
    events.publish(event('a'));
    expect(seen).toEqual(['late a']);
  });
});

describe('the clock', () => {
  const ms = (n: number): bigint => BigInt(n) * 1_000_000n;
  const made = (start: number) => {
    const at = { wall: start, monotonic: 5n };
    return { at, clock: createClock({ wall: () => at.wall, monotonic: () => at.monotonic }) };
  };
  test('gives nanoseconds between the milliseconds of the wall clock', () => {
    const { at, clock } = made(1000);
    expect(clock()).toBe(ms(1000));
    at.monotonic += 1234n;
    expect(clock()).toBe(ms(1000) + 1234n);
  });
  test('never stands nor goes back, also when the wall clock is set back', () => {
    const { at, clock } = made(10_000);
    const first = clock();
    expect(clock()).toBe(first + 1n);
    at.wall = 2_000;
    expect(clock()).toBe(first + 2n);
  });
  test('follows a wall clock that jumps ahead', () => {
    const { at, clock } = made(10_000);
    clock();
    at.wall = 99_000;
    expect(clock()).toBe(ms(99_000));
  });
});

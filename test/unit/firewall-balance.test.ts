/** Backends in slots, and the elements that lead to them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countedFor, hasChain } from '../../src/firewall/balance.js';
import { SERVICES } from '../../src/firewall/index.js';
import { serviceElements } from '../../src/firewall/services.js';
import { inPlaces } from '../../src/model/balancer.js';

const backend = (id: string) => ({ id });
const ids = fc.uniqueArray(fc.constantFrom(...'abcdefghij'), { maxLength: 8 });

describe('S6 places of backends', () => {
  test('one that goes leaves its place to the last, one that comes is the last', () => {
    const names = (before: string, after: string) =>
      inPlaces([...before].map(backend), [...after].map(backend))
        .map(({ id }) => id)
        .join('');
    expect(names('abcd', 'acd')).toBe('adc');
    expect(names('adc', 'abcd')).toBe('adcb');
    expect(names('abc', 'bcd')).toBe('dbc');
    expect(names('', 'abc')).toBe('abc');
    expect(names('abc', '')).toBe('');
  });
  test('all of them have one, and who stays moves only into a hole', () => {
    fc.assert(
      fc.property(ids, ids, (before, after) => {
        const placed = inPlaces(before.map(backend), after.map(backend)).map(({ id }) => id);
        expect([...placed].sort()).toEqual([...after].sort());
        const moved = before.filter((id, at) => after.includes(id) && placed[at] !== id);
        expect(moved.every((id) => before.indexOf(id) >= after.length)).toBe(true);
      }),
    );
  });
});

describe('S6 what leads to backends', () => {
  test('a slot for each, and the chain that draws among so many', () => {
    const elements = serviceElements({ address: '10.0.1.2', backends: ['10.0.1.5', '10.0.1.7'] });
    expect(elements.map(({ set, key, data }) => [set, ...key, ...(data ?? [])].join(' '))).toEqual([
      'backends4 10.0.1.2 0 10.0.1.5',
      'backends4 10.0.1.2 1 10.0.1.7',
      'vips4 10.0.1.2 goto one_of_2',
    ]);
    const [chain] = countedFor(SERVICES, elements);
    expect(chain?.name).toBe('one_of_2');
    expect(chain?.rules.map(({ statements }) => statements.at(-1))).toEqual([
      expect.objectContaining({ family: 4, map: 'backends4', among: 2 }),
      expect.objectContaining({ family: 6, map: 'backends6', among: 2 }),
    ]);
  });
  test('without any, a refusal', () => {
    const elements = serviceElements({ address: 'fd00::2', backends: [] });
    expect(elements).toEqual([{ family: 'inet', set: 'vips6', key: ['fd00::2'], data: ['goto none'] }]);
    expect(countedFor(SERVICES, elements)).toEqual([]);
  });
  test('only to chains that the table may have', () => {
    for (const verdict of ['goto none', 'goto one_of_1', 'goto one_of_999999'])
      expect(hasChain(SERVICES, [verdict])).toBe(true);
    for (const verdict of [
      'goto one_of_0',
      'goto one_of_01',
      'goto one_of_',
      'goto one_of_1x',
      'goto elsewhere',
    ])
      expect(hasChain(SERVICES, [verdict])).toBe(false);
  });
});

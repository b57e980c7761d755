/** Ports in no order that are published: one object where they are many, from one state to another, and back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ledBy, ledChanges, ledElements, MANY, pairsOf } from '../../src/firewall/index.js';
import { gathered } from '../../src/firewall/published.js';
import { diff } from '../../src/plan/diff.js';
import { portPair } from '../../src/plan/kinds/published.js';
import { type ElementObject, objectKey, type PublishedObject } from '../../src/plan/objects.js';

const PLACE = { set: 'publish4', protocol: 'tcp', address: '127.0.0.1', to: '172.18.0.2' } as const;
const many = (pairs: readonly number[]): PublishedObject => ({
  ...{ kind: 'published', family: 'inet', ...PLACE },
  pairs,
});
const scattered = (count: number) =>
  pairsOf(
    Array.from({ length: count }, (_, i) => ({
      hostPort: 20_000 + i,
      containerPort: 10_000 + ((i * 7919) % count),
      count: 1,
    })),
  );

describe('I12 ports in no order', () => {
  test('are elements while they are few, and one object from then on, of which a plan has one step', () => {
    expect(gathered(PLACE, scattered(MANY - 1)).map(({ kind }) => kind)).toEqual(
      Array.from({ length: MANY - 1 }, () => 'element'),
    );
    const objects = gathered(PLACE, scattered(9000));
    expect(objects).toHaveLength(1);
    expect(diff([], objects)).toHaveLength(1);
    expect(objects.flatMap(ledElements)).toHaveLength(9000);
  });

  test('from one state to another what differs is sent, and what is seen then is that state', () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 65_535 }));
    const ports = fc
      .uniqueArray(pair, { minLength: 1, maxLength: 90, selector: ([host]) => host })
      .map((all) => all.map(([host, to]) => portPair(host, to)).sort((a, b) => a - b));
    const state = fc.option(ports, { nil: undefined });
    fc.assert(
      fc.property(state, state, (from, to) => {
        const [before, after] = [from && many(from), to && many(to)];
        const there = new Map((before ? ledElements(before) : []).map((e) => [objectKey(e), e]));
        const changes = ledChanges(before, after);
        for (const { op, element } of changes) {
          expect([op, there.has(objectKey(element))]).toEqual([op, op === 'delete']);
          if (op === 'add') there.set(objectKey(element), element);
          else there.delete(objectKey(element));
        }
        const kept = (from ?? []).filter((each) => to?.includes(each)).length;
        expect(changes).toHaveLength((from?.length ?? 0) + (to?.length ?? 0) - 2 * kept);
        const seen = ledBy([...there.values()]);
        expect(seen.map(objectKey).sort()).toEqual(
          gathered(PLACE, to ?? [])
            .map(objectKey)
            .sort(),
        );
        expect(seen.filter(({ kind }) => kind === 'published')).toEqual(
          gathered(PLACE, to ?? []).filter(({ kind }) => kind === 'published'),
        );
      }),
    );
  });

  test('are told apart by set, address, protocol and container when they are seen', () => {
    const pairs = scattered(MANY);
    const places = [
      PLACE,
      { ...PLACE, address: '127.0.0.2' },
      { ...PLACE, protocol: 'udp' },
      { set: 'publish_any4', protocol: 'tcp', to: '172.18.0.2' },
      { set: 'publish_any6', protocol: 'tcp', to: 'fd00::2' },
    ] as const;
    const objects = places.flatMap((place) => gathered(place, pairs));
    const other: ElementObject = { kind: 'element', family: 'inet', set: 'bridges', key: ['br-a'] };
    expect(ledBy([...objects.flatMap(ledElements), other])).toEqual([other, ...objects]);
  });
});

/** The names of steps in the build's cache: what their results depend on, and nothing else. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cacheKey } from '../../src/images/build-cache.js';

const step = (words: readonly string[], config: object = {}) => ({ words, config, author: '' });

it('C4: parent, words and every part of the configuration make a step another', () => {
  const keys = [
    cacheKey('sha256:a', step(['RUN', 'x'])),
    cacheKey('sha256:b', step(['RUN', 'x'])),
    cacheKey('sha256:a', step(['RUN x'])),
    cacheKey('sha256:a', step(['RUN', 'x'], { Env: ['A=1'] })),
    cacheKey('sha256:a', step(['RUN', 'x'], { Env: ['A=2'] })),
    cacheKey('sha256:a', step(['RUN', 'x'], { Labels: { Env: 'A=1' } })),
    cacheKey('sha256:a', step(['RUN', 'x'], { Cmd: null })),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

it('the order in which a configuration came together makes none', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (labels) => {
      const turned = Object.fromEntries(Object.entries(labels).reverse());
      expect(cacheKey('p', step(['x'], { Labels: labels, User: 'u' }))).toBe(
        cacheKey('p', step(['x'], { User: 'u', Labels: turned })),
      );
    }),
  );
});

it('the author makes none: MAINTAINER is a step of its own', () => {
  expect(cacheKey('p', { ...step(['x']), author: 'a' })).toBe(cacheKey('p', step(['x'])));
});

/** JSON that nests deep is refused before it is parsed: of API bodies, and of what nodes and strangers say on 2377. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, frameDecoder, withLength } from '../../src/cluster/session/frames.js';
import { nestsDeeper } from '../../src/nesting.js';

const depthOf = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
};

test('the depth is that of the value, whatever its strings say', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('[[[[', '}}}', '\\"[[', '"', '\\', '[\\"{'));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'medium' }, text, fc.integer(), tie('list'), tie('table')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    table: fc.dictionary(text, tie('value'), { maxKeys: 3 }),
  }));
  fc.assert(
    fc.property(value, fc.boolean(), (found, spaced) => {
      const bytes = Buffer.from(JSON.stringify(found, undefined, spaced ? 2 : undefined));
      const depth = depthOf(found);
      expect(nestsDeeper(bytes, depth)).toBe(false);
      if (depth > 0) expect(nestsDeeper(bytes, depth - 1)).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('what is no JSON is scanned to its end', () => {
  for (const text of ['', '"', '"\\', ']]]', '"never ends [[[', '[1,'])
    expect(nestsDeeper(Buffer.from(text), 1)).toBe(false);
});

test('a mebibyte of brackets is refused in a message, without the time that it takes to parse', () => {
  const decode = frameDecoder(() => 1_048_576);
  const decoded = (body: Buffer) => () => decode(withLength(body));
  expect(decode(encodeFrame({ a: [1] }))).toEqual([{ a: [1] }]);
  for (const brackets of ['[', '{"a":', '[{"":'])
    expect(decoded(Buffer.from(brackets.repeat(1_048_576 / brackets.length)))).toThrow('nests deeper');
});

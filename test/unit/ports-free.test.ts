/** The kernel's settings that choosing a free port depends on, as texts. */
import { expect, test } from 'vitest';
import { DEFAULT_EPHEMERAL, parseRange, parseReserved } from '../../src/ports/free.js';

test.each([
  ['32768\t60999', [32768, 60999]],
  ['1024 65535', [1024, 65535]],
  ['', DEFAULT_EPHEMERAL],
  ['60999 32768', DEFAULT_EPHEMERAL],
  ['0 99999', DEFAULT_EPHEMERAL],
])('ip_local_port_range %j', (text, range) => {
  expect(parseRange(text)).toEqual(range);
});

test.each([
  ['', []],
  ['8080', [[8080, 8080]]],
  [
    '8080,9148,30000-32767',
    [
      [8080, 8080],
      [9148, 9148],
      [30000, 32767],
    ],
  ],
  ['x,80', [[80, 80]]],
])('ip_local_reserved_ports %j', (text, ranges) => {
  expect(parseReserved(text)).toEqual(ranges);
});

/** What is asked of an endpoint and cannot be: refused when it is decided, in words, not by the kernel. */
import { expect, it } from 'vitest';
import { put } from '../../src/engine/commit/tables.js';
import { type Command, connect, create, nth, start } from '../support/commands.js';
import { createWorld, freshOf } from '../support/deciding.js';
import { aContainer } from '../support/views.js';

const begun = () => {
  const world = createWorld();
  const run = (each: Command, n: number): void => world.ledger.commit(each(world, freshOf(n)).changes);
  world.ledger.commit([put('container', aContainer({ id: nth(0), name: 'box' }))]);
  run(create('four', { driver: 'bridge' }), 1);
  run(create('six', { driver: 'bridge', ipv6: true }), 2);
  return run;
};
const SETTINGS = { linkLocal: ['169.254.9.9', 'fe80::99'] };
const REFUSAL =
  'invalid endpoint settings:\nlink-local address fe80::99: container box has no IPv6 on network four';

it('I10-11: an IPv6 link-local address where the container has no IPv6', () => {
  const run = begun();
  expect(() => run(start(0, { networks: ['four'], ports: {}, settings: SETTINGS }), 3)).toThrow(REFUSAL);
  run(start(0, { networks: ['six'], ports: {}, settings: SETTINGS }), 4);
  expect(() => run(connect(0, 'four', SETTINGS), 5)).toThrow(REFUSAL);
  run(connect(0, 'four', { linkLocal: ['169.254.8.8'] }), 6);
});

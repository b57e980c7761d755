/** What is asked of an endpoint and cannot be: refused when it is decided, in words, not by the kernel. */
import { expect, it } from 'vitest';
import { asksForEndpoints } from '../../src/engine/attach/decide-attach.js';
import { put } from '../../src/engine/commit/tables.js';
import { owedForEndpoint } from '../../src/engine/plugins/owed-calls.js';
import { type EndpointSettings, NO_SETTINGS } from '../../src/model/container.js';
import type { Endpoint } from '../../src/model/endpoint.js';
import { type Command, connect, create, nth, start } from '../support/commands.js';
import { createWorld, freshOf } from '../support/deciding.js';
import { aContainer, anOverlay } from '../support/views.js';

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

it('S2 S3: an address that a swarm’s manager gave is had as it was given: nobody is asked for it, and nobody is owed it', () => {
  const world = createWorld();
  const { ledger, view } = world;
  const network = anOverlay({
    name: 'ov',
    scope: 'swarm',
    pools: [{ family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1', auxiliary: {} }],
  });
  ledger.commit([put('network', network), put('container', aContainer({ id: nth(0), name: 'web.1.t' }))]);
  const listing = (settings: Partial<EndpointSettings>) => ({
    ...view.model.getContainer(nth(0)),
    networks: [{ networkId: network.id, name: 'ov', settings: { ...NO_SETTINGS, ...settings } }],
  });
  expect(asksForEndpoints(view, listing({ ipv4: '10.0.1.7' }))).toBe(true);
  expect(asksForEndpoints(view, listing({ ipv4: '10.0.1.7', assigned: true }))).toBe(false);
  const run = { networks: ['ov'], ports: {}, settings: { ipv4: '10.0.1.7', assigned: true } } as const;
  const { changes } = start(0, run)(world, freshOf(1));
  const endpoints = changes.flatMap(({ table, value }) =>
    table === 'endpoint' && value ? [value as Endpoint] : [],
  );
  expect(endpoints.find(({ networkId }) => networkId === network.id)).toMatchObject({
    ipv4: '10.0.1.7/24',
    mac: '02:42:0a:00:01:07',
    assigned: true,
  });
  for (const endpoint of endpoints)
    expect(owedForEndpoint(view, network, endpoint)?.id).toBe(endpoint.assigned ? undefined : endpoint.id);
});

it('N3: one that does not run is connected again: with what it has, or with what is asked last on a network of a swarm', () => {
  const world = createWorld();
  const { ledger, view } = world;
  const run = (each: Command, n: number): void => ledger.commit(each(world, freshOf(n)).changes);
  run(create('four', { driver: 'bridge' }), 1);
  const pools = [{ family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1', auxiliary: {} }] as const;
  ledger.commit([
    put('network', anOverlay({ name: 'ov', scope: 'swarm', pools })),
    put('container', aContainer({ id: nth(0), name: 'box' })),
  ]);
  for (const [n, alias] of ['first', 'last'].entries())
    for (const [m, name] of ['four', 'ov'].entries())
      run(connect(0, name, { aliases: [alias] }), 2 + 2 * n + m);
  const aliases = view.model
    .getContainer(nth(0))
    .networks.map(({ name, settings }) => [name, settings.aliases]);
  expect(aliases).toEqual([
    ['four', ['first']],
    ['ov', ['last']],
  ]);
});

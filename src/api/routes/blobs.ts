/** Secrets and configs: create, list, inspect, change labels, remove. */
import type { Blob } from '../../model/swarm/cluster.js';
import { readJson } from '../http/body.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import type { Route } from '../http/router.js';
import { presentConfig, presentSecret } from '../present/blob.js';
import { readBlob } from '../read/blob.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { text, version } from '../read/query.js';
import type { Answer } from '../schema/answer.js';
import { currentManager } from './manager.js';

type Kind = 'secret' | 'config';

const FILTERS: Readonly<Record<Kind, readonly string[]>> = {
  secret: ['id', 'label', 'name', 'names'],
  config: ['id', 'label', 'name'],
};

/** Any of the names and ids, as swarmkit has it, but all of the labels. */
const selected = (filters: Filters, { id, name, labels }: Blob): boolean => {
  const asked = ['id', 'name', 'names'].filter((key) => filters.get(key).length > 0);
  const named = { id: () => filters.prefix('id', id), name: () => filters.prefix('name', name) };
  const one = (key: string): boolean =>
    key === 'names' ? filters.exact(key, name) : named[key as keyof typeof named](); // one of the three
  return (asked.length === 0 || asked.some(one)) && filters.labels('label', labels);
};

const blobs = (exchange: Exchange, kind: Kind): readonly Blob[] => {
  const filters = parseFilters(text(exchange, 'filters'), FILTERS[kind]);
  const all = exchange.swarm.manager().blobs(kind);
  return all.filter((blob) => selected(filters, blob));
};

const update = async (exchange: Exchange, kind: Kind): Promise<void> => {
  const wish = readBlob(await readJson(exchange), kind);
  const from = version(exchange, kind);
  const manager = await currentManager(exchange);
  await manager.updateBlob(kind, param(exchange, 'id'), from, wish);
};

const routesOf = <T>(kind: Kind, present: (blob: Blob) => T): readonly Route[] => [
  answers<readonly T[]>('GET', `/${kind}s`, (exchange) => blobs(exchange, kind).map(present)),
  answers<{ readonly ID: string }>(
    'POST',
    `/${kind}s/create`,
    async (exchange) => {
      const wish = readBlob(await readJson(exchange), kind);
      return { ID: await exchange.swarm.manager().createBlob(kind, wish) };
    },
    201,
  ),
  answers<T>('GET', `/${kind}s/:id`, async (exchange) =>
    present((await currentManager(exchange)).blob(kind, param(exchange, 'id'))),
  ),
  does('POST', `/${kind}s/:id/update`, (exchange) => update(exchange, kind), 200),
  does('DELETE', `/${kind}s/:id`, async (exchange) =>
    (await currentManager(exchange)).removeBlob(kind, param(exchange, 'id')),
  ),
];

export const BLOB_ROUTES: readonly Route[] = [
  ...routesOf<Answer<'Secret'>>('secret', presentSecret),
  ...routesOf<Answer<'Config'>>('config', presentConfig),
];

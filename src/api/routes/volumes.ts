/** Volumes: list, create, inspect, remove, prune. */

import { unavailable } from '../../errors.js';
import { fields } from '../../go-fields.js';
import { readJson } from '../http/body.js';
import { type Exchange, nameIn } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import { route } from '../http/router.js';
import { presentVolume } from '../present/volume.js';
import { decode, string, stringMap } from '../read/decode.js';
import { parseFilters, pruneLabels } from '../read/filters.js';
import { flag, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const createSchema = fields({
  Name: string.default(''),
  Driver: string.default(''),
  DriverOpts: stringMap.default({}),
  Labels: stringMap.default({}),
});

const list = (exchange: Exchange): Answer<'VolumeListResponse'> => {
  const { volumes } = exchange.engine;
  const filters = parseFilters(text(exchange, 'filters'), ['dangling', 'driver', 'label', 'name']);
  const dangling = filters.boolean('dangling');
  const selected = volumes
    .list()
    .filter(
      (volume) =>
        filters.match('name', volume.name) &&
        filters.exact('driver', volume.driver) &&
        filters.labels('label', volume.labels) &&
        (dangling === undefined || (volumes.usedBy(volume.name).length === 0) === dangling),
    );
  return {
    Volumes: selected.map((volume) => presentVolume(volume)),
    Warnings: null,
  };
};

const create = async (exchange: Exchange): Promise<Answer<'Volume'>> => {
  const sent = decode(createSchema, (await readJson(exchange)) ?? {});
  const volume = exchange.engine.volumes.create({
    name: sent.Name,
    driver: sent.Driver || 'local',
    options: sent.DriverOpts,
    labels: sent.Labels,
  });
  return presentVolume(volume);
};

const prune = async (exchange: Exchange): Promise<Answer<'VolumePruneResponse'>> => {
  const { volumes } = exchange.engine;
  const filters = parseFilters(text(exchange, 'filters'), ['all', 'label', 'label!']);
  // Until 1.41 every unused volume went, since then only those without a name of their own.
  const all = filters.boolean('all') ?? exchange.minor < 42;
  const { deleted, bytes } = await volumes.prune(
    (volume) =>
      (all || volume.anonymous) &&
      // Volumes with mount options hold nothing here that could be freed.
      Object.keys(volume.options).length === 0 &&
      volumes.usedBy(volume.name).length === 0 &&
      pruneLabels(filters, volume.labels),
  );
  return { VolumesDeleted: deleted, SpaceReclaimed: bytes };
};

export const VOLUME_ROUTES = [
  answers('GET', '/volumes', list),
  answers('POST', '/volumes/create', create, 201),
  answers('POST', '/volumes/prune', prune),
  answers<Answer<'Volume'>>('GET', '/volumes/:name', (exchange) =>
    presentVolume(exchange.engine.volumes.get(nameIn(exchange))),
  ),
  route('PUT', '/volumes/:name', () => {
    throw unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
  }),
  does('DELETE', '/volumes/:name', (exchange) =>
    exchange.engine.volumes.remove(nameIn(exchange), flag(exchange, 'force')),
  ),
];

/** Services of the cluster: list, inspect, create, update, roll back, remove. */
import { randomInt } from 'node:crypto';
import type { ServiceChange } from '../../cluster/contract.js';
import type { Engine } from '../../engine/contract.js';
import { forbidden, invalid, notFound, refused } from '../../errors.js';
import { madeUpName } from '../../model/name-words.js';
import { NETWORKS_OF_NODES } from '../../model/network.js';
import {
  type NetworkTarget,
  type Service,
  type ServiceSpec,
  volumeDriver,
} from '../../model/swarm/service.js';
import { readJson } from '../http/body.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import type { Route } from '../http/router.js';
import { presentService } from '../present/service.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { parsedBoolean, text, version } from '../read/query.js';
import { readServiceSpec } from '../read/service.js';
import type { Answer } from '../schema/answer.js';
import { currentManager } from './manager.js';

const FILTERS = ['id', 'label', 'mode', 'name', 'runtime'];

const selected =
  (filters: Filters) =>
  ({ id, spec }: Service): boolean =>
    filters.prefix('id', id) &&
    filters.prefix('name', spec.name) &&
    filters.labels('label', spec.labels) &&
    filters.exact('mode', spec.mode.kind) &&
    // There are no others.
    filters.exact('runtime', 'container');

const list = (exchange: Exchange): readonly Answer<'Service'>[] => {
  const filters = parseFilters(text(exchange, 'filters'), FILTERS);
  const counted = exchange.minor >= 41 && parsedBoolean(exchange, 'status');
  const manager = exchange.swarm.manager();
  return manager
    .services()
    .filter(selected(filters))
    .map((service) => presentService(service, { counts: counted ? manager.counts(service) : undefined }));
};

const inspect = async (exchange: Exchange): Promise<Answer<'Service'>> => {
  const insertDefaults = parsedBoolean(exchange, 'insertDefaults');
  const manager = await currentManager(exchange);
  return presentService(manager.service(param(exchange, 'id')), { insertDefaults });
};

/** By its id. Of networks that are a host's own a service can use those that every host has. */
const ofCluster = ({ networks }: Engine, { target, ...rest }: NetworkTarget): NetworkTarget => {
  const network = networks.find(target);
  if (!network) throw notFound(`network ${target.slice(0, 200)} not found`);
  if (NETWORKS_OF_NODES.includes(network.name)) return { ...rest, target: network.name };
  if (network.scope !== 'swarm')
    throw forbidden(
      `The network ${network.name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
    );
  return { ...rest, target: network.id };
};

const readSpec = async (exchange: Exchange): Promise<ServiceSpec> => {
  const auth = exchange.request.headers['x-registry-auth'];
  const spec = readServiceSpec(await readJson(exchange), {
    minor: exchange.minor,
    registryAuth: typeof auth === 'string' ? auth : '',
    name: () => madeUpName(randomInt(2 ** 32), randomInt(2 ** 32)),
  });
  const networks = spec.task.networks.map((network) => ofCluster(exchange.engine, network));
  return { ...spec, task: { ...spec.task, networks } };
};

/** No registry is asked here. Clients of 1.30 and newer ask by themselves, and warn in these words themselves. */
const digestWarning = ({ minor }: Exchange, { task }: ServiceSpec): readonly string[] => {
  const { Image: image } = task.container;
  if (minor >= 30 || image.includes('@')) return [];
  return [
    `image ${image} could not be accessed on a registry to record\nits digest. Each node will access ${image} independently,\npossibly leading to different nodes running different\nversions of the image.\n`,
  ];
};

/** As with Docker the tasks wait for a node that has the driver; none of ours ever will. */
const driverWarning = ({ task }: ServiceSpec): readonly string[] => {
  const drivers = (task.container.Mounts ?? []).map(volumeDriver).filter((name) => name !== '');
  return [...new Set(drivers)].map(
    (name) =>
      `volume driver ${name} is on no node, as there are no volume plugins here: the tasks wait for ever`,
  );
};

const warnings = (exchange: Exchange, spec: ServiceSpec): readonly string[] | undefined => {
  const all = [...digestWarning(exchange, spec), ...driverWarning(spec)];
  return all.length > 0 ? all : undefined;
};

const create = async (exchange: Exchange): Promise<Answer<'ServiceCreateResponse'>> => {
  const manager = await currentManager(exchange);
  const spec = await readSpec(exchange);
  return { ID: await manager.createService(spec), Warnings: warnings(exchange, spec) };
};

const credentialsFrom = (exchange: Exchange): 'spec' | 'previous-spec' => {
  const value = text(exchange, 'registryAuthFrom') || 'spec';
  if (value === 'spec' || value === 'previous-spec') return value;
  throw invalid(`invalid registryAuthFrom '${value.slice(0, 100)}'`);
};

const isRollback = (exchange: Exchange): boolean => {
  const value = text(exchange, 'rollback');
  if (!['', 'none', 'previous'].includes(value))
    throw refused(`unrecognized rollback option ${value.slice(0, 100)}`);
  return value === 'previous';
};

const update = async (exchange: Exchange): Promise<Answer<'ServiceUpdateResponse'>> => {
  const manager = await currentManager(exchange);
  const spec = await readSpec(exchange);
  const from = version(exchange, 'service');
  const change: ServiceChange = { spec, credentialsFrom: credentialsFrom(exchange) };
  await manager.updateService(param(exchange, 'id'), from, isRollback(exchange) ? 'rollback' : change);
  return { Warnings: warnings(exchange, spec) };
};

export const SERVICE_ROUTES: readonly Route[] = [
  answers<readonly Answer<'Service'>[]>('GET', '/services', list),
  answers<Answer<'ServiceCreateResponse'>>('POST', '/services/create', create, 201),
  answers<Answer<'Service'>>('GET', '/services/:id', inspect),
  answers<Answer<'ServiceUpdateResponse'>>('POST', '/services/:id/update', update),
  does(
    'DELETE',
    '/services/:id',
    async (exchange) => (await currentManager(exchange)).removeService(param(exchange, 'id')),
    200,
  ),
];

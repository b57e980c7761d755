/** Networks: list, inspect, create, connect, disconnect, remove, prune. */
import type { Engine } from '../../engine/contract.js';
import { invalid, notFound } from '../../errors.js';
import { NO_SETTINGS } from '../../model/container.js';
import { NETWORKS_OF_NODES, type Network, PREDEFINED_NETWORKS } from '../../model/network.js';
import { readJson } from '../http/body.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers, does, sendText } from '../http/reply.js';
import { route } from '../http/router.js';
import { wideJson } from '../http/wide-json.js';
import { presentNetwork, presentNetworkInspect } from '../present/network.js';
import { presentNetworkServices } from '../present/network-services.js';
import { nullWhereEmpty } from '../present/null.js';
import { decode } from '../read/decode.js';
import { readEndpoint } from '../read/endpoint.js';
import { type Filters, parseFilters, pruneLabels, readUntil } from '../read/filters.js';
import { connectSchema, disconnectSchema, readNetworkCreate } from '../read/network.js';
import { flag, text } from '../read/query.js';
import { milliseconds } from '../read/time.js';
import type { Answer } from '../schema/answer.js';

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
const PRUNE_FILTERS = ['label', 'label!', 'until'];

const list = (exchange: Exchange): readonly Answer<'NetworkSummary'>[] => {
  const { engine, minor } = exchange;
  const filters = parseFilters(text(exchange, 'filters'), LIST_FILTERS);
  const dangling = readDangling(filters);
  for (const type of filters.get('type')) {
    if (type !== 'builtin' && type !== 'custom')
      throw invalid(`invalid filter: 'type'='${type.slice(0, 100)}'`);
  }
  const networks = engine.networks.list().filter((network) => selected(engine, network, filters, dangling));
  // Before 1.28 the list held what inspect holds; until 1.51 an empty object stood in its place.
  const present = (network: Network): Answer<'NetworkSummary'> =>
    minor < 28
      ? presentNetworkInspect(network, engine.networks.endpoints(network), engine.networks.peers(network))
      : { ...presentNetwork(network), Containers: minor < 52 ? {} : undefined };
  return networks.map(present);
};

const readDangling = (filters: Filters): boolean | undefined => {
  const values = filters.get('dangling');
  if (values.length === 0) return undefined;
  if (values.length > 1) throw invalid('got more than one value for filter key "dangling"');
  if (['1', 'true'].includes(values[0] ?? '')) return true;
  if (['0', 'false'].includes(values[0] ?? '')) return false;
  throw invalid(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
};

const isPredefined = (network: Network): boolean =>
  network.predefined || PREDEFINED_NETWORKS.some((name) => name === network.name);

const isDangling = (engine: Engine, network: Network): boolean =>
  !isPredefined(network) &&
  engine.networks.endpoints(network).length === 0 &&
  engine.networks.peers(network).length === 0;

const selected = (
  engine: Engine,
  network: Network,
  filters: Filters,
  dangling: boolean | undefined,
): boolean => {
  const type = isPredefined(network) ? 'builtin' : 'custom';
  return (
    filters.exact('driver', network.driver) &&
    filters.match('name', network.name) &&
    filters.match('id', network.id) &&
    filters.labels('label', network.labels) &&
    filters.exact('scope', network.scope) &&
    filters.exact('type', type) &&
    (dangling === undefined || isDangling(engine, network) === dangling)
  );
};

/**
 * To managers the nodes' own networks that services can use are the swarm's as well; and a network of the swarm that is asked for
 * by its id they show whatever the scope, as moby's do.
 */
const hasScope = ({ swarm }: Exchange, network: Network, scope: string, term: string): boolean =>
  scope === '' ||
  scope === network.scope ||
  (swarm.status().control &&
    ((scope === 'swarm' && NETWORKS_OF_NODES.includes(network.name)) ||
      (network.scope === 'swarm' && network.id.startsWith(term))));

const readVerbose = (exchange: Exchange): boolean => {
  const verbose = text(exchange, 'verbose').toLowerCase();
  if (!['', '0', '1', 't', 'f', 'true', 'false'].includes(verbose))
    throw invalid(`invalid value for verbose: ${verbose.slice(0, 40)}`);
  return ['1', 't', 'true'].includes(verbose);
};

const inspect = (exchange: Exchange): void => {
  const verbose = readVerbose(exchange);
  const { networks } = exchange.engine;
  const term = param(exchange, 'id');
  const network = networks.get(term);
  if (!hasScope(exchange, network, text(exchange, 'scope'), term))
    throw notFound(`network ${term} not found`);
  const [endpoints, peers] = [networks.endpoints(network), networks.peers(network)];
  const addresses = exchange.minor < 52 ? undefined : networks.addresses(network);
  const { address } = exchange.swarm.status();
  const Services =
    verbose && network.scope === 'swarm'
      ? presentNetworkServices(networks.balancers(network), endpoints, peers, address)
      : undefined;
  const shown = presentNetworkInspect(network, endpoints, peers, addresses);
  sendText(exchange, 200, wideJson({ ...shown, Services }));
};

const create = async (exchange: Exchange): Promise<Answer<'NetworkCreateResponse'>> => {
  const request = readNetworkCreate(await readJson(exchange), exchange.minor);
  const { id, warning } = await exchange.engine.networks.create(request);
  return { Id: id, Warning: warning };
};

const connect = async (exchange: Exchange): Promise<void> => {
  const { Container, EndpointConfig } = decode(connectSchema, (await readJson(exchange)) ?? {});
  // A MAC address for the interface of a running container came only after API 1.52; moby ignores it before. (Clients
  // send back what they read of another container.) One that does not run keeps it for its start.
  const runs = exchange.engine.containers.find(Container)?.sandboxId;
  const settings =
    EndpointConfig === undefined
      ? NO_SETTINGS
      : readEndpoint(runs ? { ...EndpointConfig, MacAddress: '' } : EndpointConfig);
  await exchange.engine.networks.connect(param(exchange, 'id'), Container, settings);
};

const disconnect = async (exchange: Exchange): Promise<void> => {
  const { Container, Force } = decode(disconnectSchema, (await readJson(exchange)) ?? {});
  await exchange.engine.networks.disconnect(param(exchange, 'id'), Container, Force);
};

const prune = async (exchange: Exchange): Promise<Answer<'NetworkPruneResponse'>> => {
  const { engine } = exchange;
  const filters = parseFilters(text(exchange, 'filters'), PRUNE_FILTERS);
  const until = readUntil(filters);
  const removed = await engine.networks.prune(
    (network) =>
      isDangling(engine, network) &&
      pruneLabels(filters, network.labels) &&
      milliseconds(network.createdAt) <= until,
  );
  return {
    NetworksDeleted: nullWhereEmpty(removed),
  };
};

export const NETWORK_ROUTES = [
  answers('GET', '/networks', list),
  answers('GET', '/networks/', list),
  route('GET', '/networks/:id', inspect),
  answers('POST', '/networks/create', create, 201),
  answers('POST', '/networks/prune', prune),
  does('POST', '/networks/:id/connect', connect, 200),
  does('POST', '/networks/:id/disconnect', disconnect, 200),
  // moby knows no `force` here (its client's is its own affair): it removes without the plugin that should be told.
  does('DELETE', '/networks/:id', (exchange) =>
    exchange.engine.networks.remove(param(exchange, 'id'), flag(exchange, 'force')),
  ),
];

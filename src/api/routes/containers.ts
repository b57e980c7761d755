/** Containers: create, inspect, and the commands that change what one does. */
import type { ContainerCommands } from '../../engine/contract.js';
import { invalid, reworded } from '../../errors.js';
import { readJson } from '../http/body.js';
import { type Exchange, nameIn } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import type { Route } from '../http/router.js';
import { presentInspect } from '../present/container.js';
import { nullWhereEmpty } from '../present/null.js';
import { readCreate } from '../read/create.js';
import { parseFilters, pruneLabels, readUntil } from '../read/filters.js';
import { flag, integer, text } from '../read/query.js';
import { milliseconds } from '../read/time.js';
import { readUpdate } from '../read/update.js';
import type { Answer } from '../schema/answer.js';
import { sizesOf, viewInspect } from './views.js';

const create = async (exchange: Exchange): Promise<Answer<'ContainerCreateResponse'>> => {
  const { request, warnings } = readCreate(await readJson(exchange), {
    name: text(exchange, 'name'),
    platform: text(exchange, 'platform'),
    minor: exchange.minor,
  });
  const created = await exchange.engine.containers.create(request);
  return {
    Id: created.id,
    Warnings: [...created.warnings, ...warnings],
  };
};

const inspect = async (exchange: Exchange): Promise<Answer<'ContainerInspectResponse'>> => {
  const { engine } = exchange;
  const { id } = engine.containers.get(nameIn(exchange));
  const sizes = flag(exchange, 'size') ? await sizesOf(engine, engine.containers.get(id)) : undefined;
  const view = viewInspect(engine, engine.containers.get(id), sizes);
  return presentInspect(view, exchange.minor);
};

const checkStart = (exchange: Exchange): void => {
  const { headers } = exchange.request;
  // A body that says something (seven characters at least) was once a HostConfig.
  if (Number(headers['content-length'] ?? 0) > 7 || headers['transfer-encoding'] !== undefined) {
    throw invalid(
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  if (text(exchange, 'checkpoint') !== '') throw invalid('checkpoints are not supported');
};

/** How a container is to be ended: seconds until it is killed, and the signal before that. */
const ending = (exchange: Exchange): [seconds: number | undefined, signal: string | undefined] => [
  integer(exchange, 't'),
  exchange.minor >= 42 ? text(exchange, 'signal') || undefined : undefined,
];

/** moby says which container, whatever the failure; its class stays. */
const kill = async (containers: ContainerCommands, name: string, exchange: Exchange): Promise<void> => {
  try {
    await containers.kill(name, text(exchange, 'signal') || 'SIGKILL');
  } catch (error) {
    throw reworded(error, (message) => `cannot kill container: ${name}: ${message}`);
  }
};

const update = async (exchange: Exchange): Promise<Answer<'ContainerUpdateResponse'>> => {
  const limits = readUpdate((await readJson(exchange)) ?? {}, exchange.minor);
  const warnings = await exchange.engine.containers.update(nameIn(exchange), limits);
  return { Warnings: warnings };
};

const top = async (exchange: Exchange): Promise<Answer<'ContainerTopResponse'>> => {
  const asked = text(exchange, 'ps_args') || '-ef';
  const { titles, processes } = await exchange.engine.containers.top(nameIn(exchange), asked);
  return { Titles: titles, Processes: processes };
};

const prune = async (exchange: Exchange): Promise<Answer<'ContainerPruneResponse'>> => {
  const filters = parseFilters(text(exchange, 'filters'), ['label', 'label!', 'until']);
  const until = readUntil(filters);
  const { deleted, bytes } = await exchange.engine.containers.prune(
    (container) =>
      pruneLabels(filters, container.config.Labels) && milliseconds(container.createdAt) <= until,
  );
  return {
    ContainersDeleted: nullWhereEmpty(deleted),
    SpaceReclaimed: bytes,
  };
};

const changes = async (exchange: Exchange): Promise<readonly Answer<'FilesystemChange'>[] | null> => {
  const all = await exchange.engine.containers.changes(nameIn(exchange));
  return nullWhereEmpty(all);
};

/** A command that answers nothing. */
const command = (
  verb: string,
  work: (containers: ContainerCommands, name: string, exchange: Exchange) => unknown,
): Route =>
  does('POST', `/containers/:name/${verb}`, (exchange) =>
    work(exchange.engine.containers, nameIn(exchange), exchange),
  );

export const CONTAINER_ROUTES = [
  answers('POST', '/containers/create', create, 201),
  answers('POST', '/containers/prune', prune),
  answers('GET', '/containers/:name/json', inspect),
  answers('GET', '/containers/:name/top', top),
  answers('GET', '/containers/:name/changes', changes),
  command('start', (containers, name, exchange) => {
    checkStart(exchange);
    return containers.start(name);
  }),
  command('stop', (containers, name, exchange) => containers.stop(name, ...ending(exchange))),
  command('restart', (containers, name, exchange) => containers.restart(name, ...ending(exchange))),
  command('kill', kill),
  command('pause', (containers, name) => containers.pause(name)),
  command('unpause', (containers, name) => containers.unpause(name)),
  command('rename', (containers, name, exchange) => containers.rename(name, text(exchange, 'name'))),
  answers('POST', '/containers/:name/update', update),
  does('DELETE', '/containers/:name', (exchange) =>
    exchange.engine.containers.remove(nameIn(exchange), {
      force: flag(exchange, 'force'),
      volumes: flag(exchange, 'v'),
      link: flag(exchange, 'link'),
    }),
  ),
];

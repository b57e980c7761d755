/** Containers: create, inspect, and the commands that change what one does. */

import { conflict, invalid, ViaductError } from '../../errors.js';
import { readJson } from '../http/body.js';
import { type Exchange, param } from '../http/exchange.js';
import { sendEmpty, sendJson } from '../http/reply.js';
import { route } from '../http/router.js';
import { presentInspect } from '../present/container.js';
import { readCreate } from '../read/create.js';
import { parseFilters, pruneLabels } from '../read/filters.js';
import { flag, integer, text } from '../read/query.js';
import { milliseconds } from '../read/time.js';
import { readUpdate } from '../read/update.js';
import type { Answer } from '../schema/answer.js';
import { readUntil } from './networks.js';
import { sizesOf, viewInspect } from './views.js';

const name = (exchange: Exchange): string => param(exchange, 'name');

const create = async (exchange: Exchange): Promise<void> => {
  const { request, warnings } = readCreate(await readJson(exchange), {
    name: text(exchange, 'name'),
    platform: text(exchange, 'platform'),
    minor: exchange.minor,
  });
  const created = await exchange.engine.containers.create(request);
  sendJson<Answer<'ContainerCreateResponse'>>(exchange, 201, {
    Id: created.id,
    Warnings: [...created.warnings, ...warnings],
  });
};

const inspect = async (exchange: Exchange): Promise<void> => {
  const { engine } = exchange;
  const { id } = engine.containers.get(name(exchange));
  const sizes = flag(exchange, 'size') ? await sizesOf(engine, engine.containers.get(id)) : undefined;
  const view = viewInspect(engine, engine.containers.get(id), sizes);
  sendJson<Answer<'ContainerInspectResponse'>>(exchange, 200, presentInspect(view, exchange.minor));
};

const start = async (exchange: Exchange): Promise<void> => {
  const { headers } = exchange.request;
  // A body that says something (seven characters at least) was once a HostConfig.
  if (Number(headers['content-length'] ?? 0) > 7 || headers['transfer-encoding'] !== undefined) {
    throw invalid(
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  if (text(exchange, 'checkpoint') !== '') throw invalid('checkpoints are not supported');
  await exchange.engine.containers.start(name(exchange));
  sendEmpty(exchange);
};

const signalOf = (exchange: Exchange): string | undefined =>
  exchange.minor >= 42 ? text(exchange, 'signal') || undefined : undefined;

const stop = async (exchange: Exchange): Promise<void> => {
  await exchange.engine.containers.stop(name(exchange), integer(exchange, 't'), signalOf(exchange));
  sendEmpty(exchange);
};

const restart = async (exchange: Exchange): Promise<void> => {
  await exchange.engine.containers.restart(name(exchange), integer(exchange, 't'), signalOf(exchange));
  sendEmpty(exchange);
};

const kill = async (exchange: Exchange): Promise<void> => {
  try {
    await exchange.engine.containers.kill(name(exchange), text(exchange, 'signal') || 'SIGKILL');
  } catch (failure) {
    if (!(failure instanceof ViaductError)) throw failure;
    // moby says which container, whatever the failure; its class stays.
    throw new ViaductError(failure.kind, `cannot kill container: ${name(exchange)}: ${failure.message}`, {
      cause: failure,
    });
  }
  sendEmpty(exchange);
};

const remove = async (exchange: Exchange): Promise<void> => {
  await exchange.engine.containers.remove(name(exchange), {
    force: flag(exchange, 'force'),
    volumes: flag(exchange, 'v'),
    link: flag(exchange, 'link'),
  });
  sendEmpty(exchange);
};

const update = async (exchange: Exchange): Promise<void> => {
  const limits = readUpdate((await readJson(exchange)) ?? {}, exchange.minor);
  const warnings = await exchange.engine.containers.update(name(exchange), limits);
  sendJson<Answer<'ContainerUpdateResponse'>>(exchange, 200, { Warnings: warnings });
};

const top = async (exchange: Exchange): Promise<void> => {
  const { containers } = exchange.engine;
  const container = containers.get(name(exchange));
  if (container.state.status !== 'running' && container.state.status !== 'paused') {
    throw conflict(`container ${container.id} is not running`);
  }
  const { titles, processes } = await containers.top(container.id, text(exchange, 'ps_args') || '-ef');
  sendJson<Answer<'ContainerTopResponse'>>(exchange, 200, { Titles: titles, Processes: processes });
};

const prune = async (exchange: Exchange): Promise<void> => {
  const filters = parseFilters(text(exchange, 'filters'), ['label', 'label!', 'until']);
  const until = readUntil(filters);
  const { deleted, bytes } = await exchange.engine.containers.prune(
    (container) =>
      pruneLabels(filters, container.config.Labels) && milliseconds(container.createdAt) <= until,
  );
  sendJson<Answer<'ContainerPruneResponse'>>(exchange, 200, {
    ContainersDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: bytes,
  });
};

export const CONTAINER_ROUTES = [
  route('POST', '/containers/create', create),
  route('POST', '/containers/prune', prune),
  route('GET', '/containers/:name/json', inspect),
  route('GET', '/containers/:name/top', top),
  route('GET', '/containers/:name/changes', async (exchange) => {
    const changes = await exchange.engine.containers.changes(name(exchange));
    sendJson<readonly Answer<'FilesystemChange'>[] | null>(
      exchange,
      200,
      changes.length === 0 ? null : changes,
    );
  }),
  route('POST', '/containers/:name/start', start),
  route('POST', '/containers/:name/stop', stop),
  route('POST', '/containers/:name/restart', restart),
  route('POST', '/containers/:name/kill', kill),
  route('POST', '/containers/:name/pause', async (exchange) => {
    await exchange.engine.containers.pause(name(exchange));
    sendEmpty(exchange);
  }),
  route('POST', '/containers/:name/unpause', async (exchange) => {
    await exchange.engine.containers.unpause(name(exchange));
    sendEmpty(exchange);
  }),
  route('POST', '/containers/:name/rename', async (exchange) => {
    await exchange.engine.containers.rename(name(exchange), text(exchange, 'name'));
    sendEmpty(exchange);
  }),
  route('POST', '/containers/:name/update', update),
  route('DELETE', '/containers/:name', remove),
];

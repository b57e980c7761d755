/** The container commands the doors call, over the life cycle and the rooms for streams, files and networks. */
import { conflict, notFound, notImplemented, ViaductError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import type { Container, HostConfig } from '../../model/container.js';
import { decideForgetting } from '../attach/decide-detach.js';
import { connect, disconnect } from '../attach/index.js';
import { canonicalSettings } from '../attach/settings.js';
import { gatewayOf, linkNamed } from '../attach/standing.js';
import { carryOut } from '../carry-out.js';
import { put } from '../commit/tables.js';
import type { ContainerCommands, NetworkCommands } from '../contract.js';
import { fresh } from '../fresh.js';
import { bringNetworks, evictRemote } from '../networks/in-cluster.js';
import type { Outside, Parts, Writing } from '../parts.js';
import type { View } from '../view.js';
import { checkContainerName, designContainer, warningsOf } from './create.js';
import { decideRename, decideUnlinking } from './decide.js';
import { pathsOf } from './etc-files.js';
import { createFileCommands, hasFilesToPrepare, prepareFiles } from './files.js';
import type { Lifecycle } from './lifecycle.js';
import { designMounts } from './mount-points.js';
import { amend } from './record.js';
import { containerEvent, isRunning } from './state.js';
import { afterLogs, allLogs, settling } from './streams.js';

const idOf = (parts: Pick<View, 'model'>, reference: string): string =>
  parts.model.getContainer(reference).id;

const runningContainer = (parts: Pick<View, 'model'>, reference: string): Container => {
  const container = parts.model.getContainer(reference);
  if (!isRunning(container)) throw conflict(`container ${container.id} is not running`);
  return container;
};

/** Under the container's lock: an endpoint that is being made now takes the name that is told it. */
const rename = (parts: View & Writing, reference: string, asked: string): void => {
  const container = parts.model.getContainer(reference);
  carryOut(parts, decideRename(parts, container, checkContainerName(parts, asked)));
};

const update = async (
  parts: Freezing & Pick<Writing, 'ledger' | 'events'>,
  reference: string,
  change: Partial<HostConfig>,
): Promise<readonly string[]> => {
  const container = parts.model.getContainer(reference);
  const hostConfig = { ...container.hostConfig, ...change };
  if (isRunning(container)) await parts.runtime.update(container.id, hostConfig);
  amend(parts, container.id, (now) => ({ ...now, hostConfig }));
  containerEvent(parts, container, 'update');
  return [];
};

type Freezing = Pick<View, 'model'> & Pick<Outside, 'runtime'>;

/** The files of a running container do not change while `work` reads them. One that ends meanwhile (conflict) needs no ice. */
const whileFrozen = async <T>(parts: Freezing, { id }: Container, work: () => Promise<T>): Promise<T> => {
  const unlessEnded = (error: unknown): void => {
    if (!(error instanceof ViaductError && error.kind === 'conflict')) throw error;
  };
  await parts.runtime.pause(id).catch(unlessEnded);
  try {
    return await work();
  } finally {
    // Whom the user paused meanwhile stays so.
    if (parts.model.containers.get(id)?.state.status !== 'paused')
      await parts.runtime.resume(id).catch(unlessEnded);
  }
};

const prune = async (
  parts: Pick<View, 'model'> & Pick<Outside, 'images'>,
  lifecycle: Lifecycle,
  selected: (c: Container) => boolean,
) => {
  const stopped = [...parts.model.containers.values()].filter(
    (c) => ['created', 'exited', 'dead'].includes(c.state.status) && selected(c),
  );
  const deleted: string[] = [];
  let bytes = 0;
  for (const { id } of stopped) {
    const freed = await parts.images.writtenBytes(id);
    try {
      await lifecycle.remove(id, { force: false, volumes: false });
    } catch (error) {
      if (!(error instanceof ViaductError)) throw error;
      continue; // started or removed meanwhile
    }
    deleted.push(id);
    bytes += freed;
  }
  return { deleted, bytes };
};

const commit = async (
  parts: Freezing & Pick<Writing, 'events'> & Pick<Outside, 'images'>,
  reference: string,
  request: Parameters<ContainerCommands['commit']>[1],
): Promise<string> => {
  const container = parts.model.getContainer(reference);
  const write = async (): Promise<string> => {
    const { Env, Cmd, Entrypoint, WorkingDir, User, Labels, ExposedPorts, Volumes } = container.config;
    const id = await parts.images.commit({
      containerId: container.id,
      image: parts.images.get(container.imageId),
      reference: request.repo ? `${request.repo}${request.tag ? `:${request.tag}` : ''}` : '',
      comment: request.comment,
      author: request.author,
      changes: request.changes,
      config: {
        Env,
        Cmd,
        Entrypoint,
        WorkingDir,
        User,
        Labels,
        ExposedPorts: ExposedPorts ?? {},
        Volumes: Volumes ?? {},
      },
    });
    containerEvent(parts, container, 'commit', { comment: request.comment, imageID: id });
    return id;
  };
  const freezes = request.pause && container.state.status === 'running';
  return (freezes ? whileFrozen(parts, container, write) : write()).catch((error: unknown) => {
    if (!parts.model.containers.has(container.id)) throw notFound(`No such container: ${reference}`, error);
    throw error; // its files did not go under our hands
  });
};

const withTag = (reference: string): string =>
  /[:@]/.test(reference.split('/').at(-1) ?? '') ? reference : `${reference}:latest`;

/** A container whose files cannot be made is not made. */
const prepared = async (parts: Parts, lifecycle: Lifecycle, container: Container): Promise<void> => {
  try {
    await lifecycle.exclusive(container.id, () => prepareFiles(parts, container));
  } catch (error) {
    await lifecycle.remove(container.id, { force: true, volumes: true });
    throw error;
  }
};

export const createContainerCommands = (parts: Parts, lifecycle: Lifecycle): ContainerCommands => ({
  async create(request) {
    parts.runtime.foresee();
    const image = parts.images.find(request.config.Image);
    if (!image) throw notFound(`No such image: ${withTag(request.config.Image)}`);
    const designed = designContainer(parts, fresh(), request, image);
    const mounts = designMounts(parts, designed.config, request.hostConfig);
    const container = { ...designed, mounts };
    failpoint('volumes-made');
    parts.ledger.commit([put('container', container)]);
    if (hasFilesToPrepare(container, request)) await prepared(parts, lifecycle, container);
    containerEvent(parts, container, 'create');
    return { id: container.id, warnings: warningsOf(parts, container) };
  },
  start: (reference) => lifecycle.start(idOf(parts, reference)),
  stop: (reference, seconds, signal) => lifecycle.stop(idOf(parts, reference), { seconds, signal }),
  restart: (reference, seconds, signal) => lifecycle.restart(idOf(parts, reference), { seconds, signal }),
  kill: (reference, signal) => lifecycle.kill(idOf(parts, reference), signal),
  pause: (reference) => lifecycle.pause(idOf(parts, reference)),
  unpause: (reference) => lifecycle.unpause(idOf(parts, reference)),
  async remove(reference, options) {
    if (options.link) {
      const { parent, alias } = linkNamed(parts, reference);
      await lifecycle.exclusive(
        parent.id,
        async () => void carryOut(parts, decideUnlinking(parts, parts.model.getContainer(parent.id), alias)),
      );
      return;
    }
    const container = parts.model.getContainer(reference);
    await lifecycle.remove(container.id, options);
  },
  rename: (reference, name) => {
    const id = idOf(parts, reference);
    return lifecycle.exclusive(id, async () => rename(parts, id, name));
  },
  update: (reference, change) => {
    const id = idOf(parts, reference);
    return lifecycle.exclusive(id, () => update(parts, id, change));
  },
  prune: (selected) => prune(parts, lifecycle, selected),
  list: () => [...parts.model.containers.values()],
  get: (reference) => parts.model.getContainer(reference),
  find: (reference) => parts.model.findContainer(reference),
  endpoints: (container) => [
    ...container.endpointIds.flatMap((id) => parts.model.endpoints.get(id) ?? []),
    ...gatewayOf(parts, container),
  ],
  sandbox: parts.model.sandboxOf,
  paths: (container) => pathsOf(parts, container.id),
  async wait(reference, condition) {
    const container = parts.model.getContainer(reference);
    if (condition === 'not-running' && !isRunning(container) && container.state.status !== 'restarting')
      return { exitCode: container.state.exitCode, error: container.state.error };
    return lifecycle.waiters.wait(container.id, condition === 'removed' ? 'removed' : 'next-exit');
  },
  ended: (id) => lifecycle.waiters.ended(id),
  attach(reference, options, gone) {
    const container = parts.model.getContainer(reference);
    if (container.state.status === 'paused')
      throw conflict(`container ${container.id} is paused, unpause the container before attach`);
    if (container.state.status === 'restarting')
      throw conflict(`container ${container.id} is restarting, wait until the container is running`);
    if (options.logs && !options.stream) return { streams: Promise.resolve(allLogs(parts, container)) };
    containerEvent(parts, container, 'attach');
    const live = isRunning(container) ? parts.runtime.attach(container.id) : undefined;
    if (!live)
      return settling(
        parts,
        lifecycle.waiters,
        container.id,
        lifecycle.attachments.later(container.id, gone),
      );
    const streams = Promise.resolve(options.logs ? afterLogs(parts, container, live) : live);
    return settling(parts, lifecycle.waiters, container.id, streams);
  },
  resize(reference, size) {
    const container = runningContainer(parts, reference);
    parts.runtime.resize(container.id, size);
    containerEvent(parts, container, 'resize', { height: String(size.rows), width: String(size.columns) });
  },
  logs(reference, request) {
    const { id, hostConfig } = parts.model.getContainer(reference);
    if (hostConfig.LogConfig?.Type === 'none')
      throw notImplemented('configured logging driver does not support reading');
    return parts.runtime.logs(id, request);
  },
  usage: (reference) => {
    const container = parts.model.getContainer(reference);
    return isRunning(container) ? parts.runtime.usage(container.id) : undefined;
  },
  async top(reference, args) {
    const container = runningContainer(parts, reference);
    const table = await parts.runtime.top(container.id, args);
    containerEvent(parts, container, 'top');
    return table;
  },
  changes: async (reference) => parts.images.changes(idOf(parts, reference)),
  commit: (reference, request) => commit(parts, reference, request),
  ...createFileCommands(parts),
});

/** Attach and detach of networks on containers: the kernel, the record, then the files that name addresses. */
export const createAttaching = (
  parts: Parts,
  lifecycle: Lifecycle,
): Pick<NetworkCommands, 'connect' | 'disconnect'> => ({
  async connect(reference, container, asked) {
    const settings = canonicalSettings(asked);
    const { id } = parts.model.getContainer(container);
    if (parts.cluster) await bringNetworks(parts, [reference]);
    await lifecycle.exclusive(id, () => connect(parts, parts.model.getNetwork(reference), id, settings));
  },
  async disconnect(reference, container, force) {
    const found = parts.model.findContainer(container);
    if (found && !parts.model.findNetwork(reference) && (force || found.sandboxId === null))
      return lifecycle.exclusive(found.id, async () => {
        carryOut(parts, decideForgetting(parts.model.getContainer(found.id), reference));
      });
    const network = parts.model.getNetwork(reference);
    if (!found) {
      if (await evictRemote(parts, network, container, force)) return;
      if (force) return; // its container is gone, and its endpoints with it
      throw notFound(`No such container: ${container}`);
    }
    await lifecycle.exclusive(found.id, () => disconnect(parts, network, parts.model.getContainer(found.id)));
  },
});

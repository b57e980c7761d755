/**
 * The engine as the agent of a swarm's node uses it: containers of tasks are made from the same requests as a client's and checked by the
 * same code, so that whatever a container may have a task may have.
 */
import { authSchema } from './api/read/auth.js';
import { readCreate } from './api/read/create.js';
import type { TaskContainer, TaskEngine, TaskLogs } from './cluster/agent/contract.js';
import type { Engine } from './engine/contract.js';
import { unavailable } from './errors.js';
import type { RegistryAuth } from './images/contract.js';
import type { Logger } from './log.js';
import type { Container } from './model/container.js';
import type { PortConfig } from './model/swarm/endpoint.js';

/** Minor number of the API version whose rules hold for a task's container. */
const MINOR = 47;

const authOf = (text: string | undefined): RegistryAuth | undefined => {
  if (text === undefined || text === '') return undefined;
  try {
    return authSchema.parse(JSON.parse(Buffer.from(text, 'base64').toString('utf8')));
  } catch {
    return undefined; // as in Docker: most pulls need none
  }
};

/** Ports that this host publishes for the container, as they are bound; those of both families once. */
const portsOf = (engine: Engine, container: Container): readonly PortConfig[] => {
  const ports = engine.containers
    .endpoints(container)
    .flatMap(({ bindings }) => bindings.filter(({ hostPort }) => hostPort !== 0))
    .flatMap(({ protocol, containerPort, hostPort, count }) =>
      Array.from({ length: count }, (_, at): PortConfig => {
        const [targetPort, publishedPort] = [containerPort + at, hostPort + at];
        return { name: '', protocol, targetPort, publishedPort, mode: 'host' };
      }),
    );
  return [...new Map(ports.map((port) => [JSON.stringify(port), port])).values()];
};

const present = (engine: Engine, container: Container): TaskContainer => {
  const { status, pid, exitCode, error, health } = container.state;
  return {
    ...{ id: container.id, status, pid, exitCode, error },
    ...(health ? { health: health.status } : {}),
    ports: portsOf(engine, container),
  };
};

/** Whose a container is its record says: its labels are anybody's to give. What is gone has none, so it is remembered. */
const listen = ({ containers, events }: Engine, listener: (taskId: string) => void): (() => void) => {
  const known = new Map<string, string>();
  return events.subscribe(({ type, actor: { id } }) => {
    if (type !== 'container') return;
    const found = containers.find(id);
    const task = found ? found.task : known.get(id);
    if (task === undefined) return;
    if (found) known.set(id, task);
    else known.delete(id);
    listener(task);
  });
};

export const createTaskEngine = (engine: Engine, log: Logger): TaskEngine & TaskLogs => {
  const { containers, images } = engine;
  return {
    container(taskId) {
      const found = containers.list().find(({ task }) => task === taskId);
      return found && present(engine, found);
    },
    taskIds: () => containers.list().flatMap(({ task }) => task ?? []),
    onChange: (listener) => listen(engine, listener),
    async prepareImage(image, registryAuth, signal) {
      if (images.find(image)) return;
      await images.pull(image, authOf(registryAuth), () => {}, signal);
      if (!images.find(image)) throw unavailable(`No such image: ${image}`);
    },
    async create(task, name, body) {
      const { request, warnings } = readCreate(body, { name, platform: '', minor: MINOR });
      const networks = request.networks.map(({ network, settings }) => ({
        network,
        settings: { ...settings, assigned: true as const },
      }));
      const created = await containers.create({ ...request, networks, task });
      for (const warning of [...created.warnings, ...warnings]) log.warn({ task, container: name }, warning);
      return created.id;
    },
    start: (id) => containers.start(id),
    stop: (id, seconds) => containers.stop(id, seconds),
    remove: (id) => containers.remove(id, { force: true, volumes: true, link: false }),
    logs: containers.logs,
  };
};

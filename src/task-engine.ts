/**
 * The engine as the agent of a swarm's node uses it: containers of tasks are made from the same requests as a client's and checked by the
 * same code, so that whatever a container may have a task may have.
 */
import { authSchema } from './api/read/auth.js';
import { readCreate } from './api/read/create.js';
import { LABELS, type TaskContainer, type TaskEngine } from './cluster/agent/contract.js';
import type { Engine } from './engine/contract.js';
import { unavailable } from './errors.js';
import type { RegistryAuth } from './images/contract.js';
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

const present = (engine: Engine, container: Container, taskId: string): TaskContainer => {
  const { status, pid, exitCode, error, health } = container.state;
  return {
    ...{ id: container.id, taskId, status, pid, exitCode, error },
    ...(health ? { health: health.status } : {}),
    ports: portsOf(engine, container),
  };
};

export const createTaskEngine = (engine: Engine): TaskEngine => {
  const { containers, images } = engine;
  return {
    containers: () =>
      containers
        .list()
        .flatMap((container) =>
          container.task === undefined ? [] : [present(engine, container, container.task)],
        ),
    onChange: (listener) =>
      engine.events.subscribe(({ type, actor }) => {
        const taskId = type === 'container' ? actor.attributes[LABELS.taskId] : undefined;
        if (taskId !== undefined && taskId !== '') listener(taskId);
      }),
    async prepareImage(image, registryAuth, signal) {
      if (images.find(image)) return;
      await images.pull(image, authOf(registryAuth), () => {}, signal);
      if (!images.find(image)) throw unavailable(`No such image: ${image}`);
    },
    async create(task, name, body) {
      const { request } = readCreate(body, { name, platform: '', minor: MINOR });
      const networks = request.networks.map(({ network, settings }) => ({
        network,
        settings: { ...settings, assigned: true as const },
      }));
      return (await containers.create({ ...request, networks, task })).id;
    },
    start: (id) => containers.start(id),
    stop: (id, seconds) => containers.stop(id, seconds),
    remove: (id) => containers.remove(id, { force: true, volumes: true, link: false }),
  };
};

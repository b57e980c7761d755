/** What an agent has to do with the engine of its host: containers of tasks, and nothing else of what there is. */
import type { ContainerCommands } from '../../engine/contract.js';
import type { ContainerStatus } from '../../model/container.js';
import type { PortConfig } from '../../model/swarm/endpoint.js';

/** Labels by which a task's container is known, as swarmkit writes them. */
export const LABELS = {
  node: 'com.docker.swarm.node.id',
  service: 'com.docker.swarm.service.id',
  serviceName: 'com.docker.swarm.service.name',
  task: 'com.docker.swarm.task',
  taskId: 'com.docker.swarm.task.id',
  taskName: 'com.docker.swarm.task.name',
} as const;

/** A container that was made for a task, as it is now. */
export interface TaskContainer {
  readonly id: string;
  readonly status: ContainerStatus;
  /** 0: it does not run */
  readonly pid: number;
  readonly exitCode: number;
  /** why it could not be started, or ended; empty: nothing is known */
  readonly error: string;
  /** absent: it has no health check */
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** that the host itself publishes */
  readonly ports: readonly PortConfig[];
}

/** Everything throws ViaductError, in words for the task's `Err`. */
export interface TaskEngine {
  container(taskId: string): TaskContainer | undefined;
  /** Of all tasks that have a container. */
  taskIds(): readonly string[];
  /** Told of a task whose container's state has changed, or that has none any more. Answers how to stop listening. */
  onChange(listener: (taskId: string) => void): () => void;
  /** `registryAuth`: as the client sent it. Nothing is done where the image is there. */
  prepareImage(image: string, registryAuth: string | undefined, signal: AbortSignal): Promise<void>;
  /** By a body of `POST /containers/create`, checked as a client's; the addresses in it are a manager's. Answers its id. */
  create(taskId: string, name: string, body: object): Promise<string>;
  start(id: string): Promise<void>;
  /** Ends it: SIGTERM or its own signal, SIGKILL after so many seconds. */
  stop(id: string, seconds: number): Promise<void>;
  remove(id: string): Promise<void>;
}

/** What tasks have written. */
export interface TaskLogs extends Pick<TaskEngine, 'container' | 'onChange'> {
  /** By the container's id. */
  readonly logs: ContainerCommands['logs'];
}

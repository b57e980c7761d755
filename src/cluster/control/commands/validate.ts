/** Whether a service's spec makes sense by itself: swarmkit's checks in its order and its words (manager/controlapi/service.go). */
import type { EndpointSpec } from '../../../model/swarm/endpoint.js';
import type {
  FileReference,
  Resources,
  RestartPolicy,
  ServiceContainer,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '../../../model/swarm/service.js';
import { expandContainer } from '../../../template/service.js';
import { rpcError } from '../../rpc.js';
import { parseConstraints } from '../constraint.js';

const refuse = (text: string): never => {
  throw rpcError('InvalidArgument', text);
};

/** Swarmkit's, without a way to try it twice. */
const NAME = /^[a-zA-Z0-9](?:[-_A-Za-z0-9]*[A-Za-z0-9])?$/;
const LONGEST_NAME = 63;

/** Of services and networks: a label of DNS. */
export const checkName = (name: string): void => {
  if (name === '') refuse('meta: name must be provided');
  // The pattern is not to be tried on texts of any size.
  if (!NAME.test(name.slice(0, 2 * LONGEST_NAME))) refuse('name must be valid as a DNS name component');
  if (name.length > LONGEST_NAME) refuse('name must be 63 characters or fewer');
};

const LEAST_CPU = 1e6;
const LEAST_MEMORY = 4 * 1024 * 1024;

const checkResources = ({ nanoCpus, memoryBytes }: Pick<Resources, 'nanoCpus' | 'memoryBytes'>): void => {
  if (nanoCpus !== 0 && nanoCpus < LEAST_CPU)
    refuse(`invalid cpu value ${nanoCpus / 1e9}: Must be at least ${LEAST_CPU / 1e9}`);
  if (memoryBytes !== 0 && memoryBytes < LEAST_MEMORY)
    refuse(`invalid memory value ${memoryBytes}: Must be at least 4MiB`);
};

const checkRestart = ({ delay = 0, window = 0 }: RestartPolicy): void => {
  if (delay < 0) refuse('TaskSpec: restart-delay cannot be negative');
  if (window < 0) refuse('TaskSpec: restart-window cannot be negative');
};

/** Swarmkit gives this one no code. */
const checkConstraints = (constraints: readonly string[]): void => {
  const parsed = parseConstraints(constraints);
  if (typeof parsed === 'string') throw rpcError('Unknown', parsed);
};

/** No two are to appear at one place. */
const checkReferences = (
  kind: 'secret' | 'config',
  references: readonly FileReference[],
  needsFile: boolean,
): void => {
  const names = new Map<string, string>();
  for (const { id, name, file } of references) {
    if (id === '' || name === '') refuse(`malformed ${kind} reference`);
    if (!file) {
      if (needsFile) refuse(`malformed ${kind} reference, no target provided`);
      continue;
    }
    if (file.name === '')
      refuse(
        kind === 'secret'
          ? 'malformed file secret reference, invalid target file name provided'
          : 'malformed file config reference, invalid target file name provided',
      );
    const other = names.get(file.name);
    if (other !== undefined)
      refuse(`${kind} references '${other}' and '${name}' have a conflicting target: '${file.name}'`);
    names.set(file.name, name);
  }
};

const LEAST_INTERVAL = 1_000_000; // nanoseconds

const checkHealth = (check: NonNullable<ServiceContainer['Healthcheck']>): void => {
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = check[field] ?? 0;
    if (value !== 0 && value < LEAST_INTERVAL)
      refuse(`ContainerSpec: ${field} in HealthConfig cannot be less than 1ms`);
  }
  if ((check.Retries ?? 0) < 0) refuse('ContainerSpec: Retries in HealthConfig cannot be negative');
};

const checkContainer = ({ Mounts = [], Healthcheck }: ServiceContainer): void => {
  const targets = new Set<string>();
  for (const { Target } of Mounts) {
    if (targets.has(Target)) refuse(`ContainerSpec: duplicate mount point: ${Target}`);
    targets.add(Target);
  }
  if (Healthcheck) checkHealth(Healthcheck);
};

/** Filled in for a task that there never is, as swarmkit does: what the words ask for must be there to be asked for. */
const checkTemplates = ({ name, labels, task: { container } }: ServiceSpec): void => {
  try {
    expandContainer(container, {
      service: { id: 'serviceid', name, labels },
      node: { id: 'nodeid', hostname: 'hostname', architecture: 'architecture', os: 'os' },
      task: { id: 'taskid', name: 'taskname', slot: '1' },
    });
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
};

const checkTask = ({ resources, restart, placement, secrets, configs, container }: TaskSpec): void => {
  if (resources?.limits) checkResources(resources.limits);
  if (resources?.reservations) checkResources(resources.reservations);
  if (restart) checkRestart(restart);
  checkConstraints(placement?.constraints ?? []);
  checkReferences('secret', secrets, true);
  checkReferences('config', configs, false);
  checkContainer(container);
};

const checkMode = (mode: ServiceMode): void => {
  if (mode.kind === 'replicated' && mode.replicas < 0) refuse('Number of replicas must be non-negative');
  if (mode.kind !== 'replicated-job') return;
  if (mode.maxConcurrent < 0) refuse('Maximum concurrent jobs must not be negative');
  if (mode.totalCompletions < 0) refuse('Total completed jobs must not be negative');
};

const checkUpdate = ({ delay, monitor = 0, maxFailureRatio }: UpdateConfig): void => {
  if (delay < 0) refuse('TaskSpec: update-delay cannot be negative');
  if (monitor < 0) refuse('TaskSpec: update-monitor cannot be negative');
  if (maxFailureRatio < 0 || maxFailureRatio > 1)
    refuse('TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1');
};

const checkEndpoint = ({ mode, ports }: EndpointSpec): void => {
  const published = new Set<string>();
  for (const port of ports) {
    if (mode === 'dnsrr' && port.mode === 'ingress')
      refuse("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    if (port.publishedPort === 0) continue;
    const key = `${port.protocol}/${port.publishedPort}`;
    if (published.has(key)) refuse('EndpointSpec: duplicate published ports provided');
    published.add(key);
  }
};

/** Throws for what is refused. */
export const validateSpec = (spec: ServiceSpec): void => {
  const { name, task, mode, update, endpoint } = spec;
  checkName(name);
  checkTask(task);
  checkTemplates(spec);
  checkMode(mode);
  if (mode.kind.endsWith('job') && update) refuse('Jobs may not have an update config');
  if (update) checkUpdate(update);
  if (endpoint) checkEndpoint(endpoint);
};

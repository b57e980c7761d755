/** Which nodes a task may run on: swarmkit's questions in its order, and its words for why there is none. */
import { type Platform, type SpecVersion, volumeDriver } from '../../../model/swarm/service.js';
import { satisfies } from '../constraint.js';
import { hostPortsOf, type Load, reservedBy } from './load.js';

interface Filter {
  /** whether this asks anything of nodes */
  readonly concerns: (spec: SpecVersion) => boolean;
  readonly allows: (spec: SpecVersion, load: Load, serviceId: string) => boolean;
  readonly explain: (nodes: number) => string;
}

const counted = (one: string, more: (nodes: number) => string) => (nodes: number) =>
  nodes === 1 ? one : more(nodes);

const ready: Filter = {
  concerns: () => true,
  allows: (_, { node }) => node.status.state === 'ready' && node.availability === 'active',
  explain: counted('1 node not available for new tasks', (n) => `${n} nodes not available for new tasks`),
};

const resources: Filter = {
  concerns: (spec) => {
    const { nanoCpus, memoryBytes, generic } = reservedBy(spec);
    return nanoCpus !== 0 || memoryBytes !== 0 || generic.length > 0;
  },
  allows: (spec, { state, memory, cpus }) => {
    const { nanoCpus, memoryBytes, generic } = reservedBy(spec);
    const has = state?.description;
    // Nodes of ours say of no generic resources that they have them.
    return (
      nanoCpus <= (has?.nanoCpus ?? 0) - cpus &&
      memoryBytes <= (has?.memoryBytes ?? 0) - memory &&
      generic.length === 0
    );
  },
  explain: counted('insufficient resources on 1 node', (n) => `insufficient resources on ${n} nodes`),
};

const hasPlugin = ({ state }: Load, type: string, name: string): boolean =>
  state?.description.plugins.some(
    (each) => each.type === type && (each.name === name || each.name === `${name}:latest`),
  ) === true;

const tells = ({ state }: Load, type: string): boolean =>
  state?.description.plugins.some((each) => each.type === type) === true;

const plugins: Filter = {
  concerns: ({ task }) =>
    task.logDriver !== undefined || (task.container.Mounts ?? []).some((mount) => volumeDriver(mount) !== ''),
  allows: ({ task }, load) => {
    if (!load.state) return true;
    const drivers = (task.container.Mounts ?? []).map(volumeDriver).filter((name) => name !== '');
    if (!drivers.every((name) => hasPlugin(load, 'Volume', name))) return false;
    const log = task.logDriver?.name ?? '';
    return log === '' || log === 'none' || !tells(load, 'Log') || hasPlugin(load, 'Log', log);
  },
  explain: counted('missing plugin on 1 node', (n) => `missing plugin on ${n} nodes`),
};

const constraints: Filter = {
  concerns: ({ task }) => (task.placement?.constraints.length ?? 0) > 0,
  allows: ({ task }, load) => satisfies(task.placement?.constraints ?? [], load),
  explain: counted(
    'scheduling constraints not satisfied on 1 node',
    (n) => `scheduling constraints not satisfied on ${n} nodes`,
  ),
};

const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };
const usual = (architecture: string): string => ARCHITECTURES[architecture] ?? architecture;

const isPlatform = (wanted: Platform, has: Platform): boolean =>
  (wanted.architecture === '' || usual(wanted.architecture) === usual(has.architecture)) &&
  (wanted.os === '' || wanted.os === has.os);

const platform: Filter = {
  concerns: ({ task }) => (task.placement?.platforms.length ?? 0) > 0,
  allows: ({ task }, { state }) =>
    state !== undefined &&
    task.placement?.platforms.some((each) => isPlatform(each, state.description)) === true,
  explain: counted('unsupported platform on 1 node', (n) => `unsupported platform on ${n} nodes`),
};

const hostPorts: Filter = {
  concerns: (spec) => hostPortsOf(spec).length > 0,
  allows: (spec, load) => hostPortsOf(spec).every((port) => !load.hostPorts.has(port)),
  explain: counted(
    'host-mode port already in use on 1 node',
    (n) => `host-mode port already in use on ${n} nodes`,
  ),
};

const maxReplicas: Filter = {
  concerns: ({ task }) => (task.placement?.maxReplicas ?? 0) > 0,
  allows: ({ task }, { byService }, serviceId) =>
    (byService.get(serviceId) ?? 0) < (task.placement?.maxReplicas ?? 0),
  explain: () => 'max replicas per node limit exceed',
};

const ALL = [ready, resources, plugins, constraints, platform, hostPorts, maxReplicas];

/** The questions that a spec asks, and how many nodes each has refused since one was found. */
export class Filters {
  readonly #asked: readonly Filter[];
  readonly #refused = new Map<Filter, number>();

  constructor(
    readonly spec: SpecVersion,
    readonly serviceId: string,
  ) {
    this.#asked = ALL.filter((filter) => filter.concerns(spec));
  }

  allows(load: Load): boolean {
    const refuses = this.#asked.find((filter) => !filter.allows(this.spec, load, this.serviceId));
    if (refuses) this.#refused.set(refuses, (this.#refused.get(refuses) ?? 0) + 1);
    else this.#refused.clear();
    return refuses === undefined;
  }

  /** Most refusals first. */
  explain(): string {
    const refusals = [...this.#refused].sort(([, a], [, b]) => b - a);
    const reasons = refusals.map(([filter, nodes]) => filter.explain(nodes)).join('; ');
    return reasons === '' ? 'no suitable node' : `no suitable node (${reasons})`;
  }
}

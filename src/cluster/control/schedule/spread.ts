/**
 * Which of the nodes that a task may run on it does: those that have fewest tasks of the service, then fewest tasks; those on
 * which the service failed again and again come last. Placement preferences part the nodes into branches, and each branch is to
 * have as many tasks of the service as the next.
 */
import { labelOf } from '../constraint.js';
import { Heap } from './heap.js';
import type { Load } from './load.js';

/** From so many failures within the time, a node comes last. */
const MANY_FAILURES = 5;

interface Leaf {
  readonly kind: 'leaf';
  tasks: number;
  readonly nodes: Heap<Load>;
}
interface Fork {
  readonly kind: 'fork';
  tasks: number;
  readonly next: Map<string, Branch>;
}
type Branch = Leaf | Fork;

export interface Choosing {
  readonly serviceId: string;
  readonly spread: readonly string[];
  /** of the service on a node, in the last minutes */
  readonly failures: (load: Load) => number;
  readonly allows: (load: Load) => boolean;
}

const orderBy =
  ({ serviceId, failures }: Choosing) =>
  (a: Load, b: Load): boolean => {
    const [failedA, failedB] = [failures(a), failures(b)];
    if ((failedA >= MANY_FAILURES || failedB >= MANY_FAILURES) && failedA !== failedB)
      return failedA < failedB;
    const [ofA, ofB] = [a.byService.get(serviceId) ?? 0, b.byService.get(serviceId) ?? 0];
    if (ofA !== ofB) return ofA < ofB;
    if (a.tasks !== b.tasks) return a.tasks < b.tasks;
    return a.node.id < b.node.id;
  };

const branchFor = (choosing: Choosing, depth: number): Branch =>
  depth < choosing.spread.length
    ? { kind: 'fork', tasks: 0, next: new Map() }
    : { kind: 'leaf', tasks: 0, nodes: new Heap(orderBy(choosing)) };

const plant = (choosing: Choosing, root: Branch, load: Load): void => {
  const tasks = load.byService.get(choosing.serviceId) ?? 0;
  let branch = root;
  for (const [depth, descriptor] of choosing.spread.entries()) {
    branch.tasks += tasks;
    if (branch.kind === 'leaf') break;
    const value = labelOf(descriptor, load) ?? '';
    const next = branch.next.get(value) ?? branchFor(choosing, depth + 1);
    branch.next.set(value, next);
    branch = next;
  }
  if (branch.kind === 'fork') return;
  branch.tasks += choosing.spread.length === 0 || branch !== root ? tasks : 0;
  if (choosing.allows(load)) branch.nodes.push(load);
};

/** Nodes for one task after the other. */
export class Spread {
  readonly #root: Branch;

  constructor(
    readonly choosing: Choosing,
    loads: Iterable<Load>,
  ) {
    this.#root = branchFor(choosing, 0);
    for (const load of loads) plant(choosing, this.#root, load);
  }

  /** The best node for one more; `place` is to put the task on it. Undefined: there is none. */
  take(place: (load: Load) => void): Load | undefined {
    return this.#take(this.#root, place);
  }

  #take(branch: Branch, place: (load: Load) => void): Load | undefined {
    const found = branch.kind === 'leaf' ? this.#takeLeaf(branch, place) : this.#takeFork(branch, place);
    if (found) branch.tasks += 1;
    return found;
  }

  #takeLeaf({ nodes }: Leaf, place: (load: Load) => void): Load | undefined {
    for (let load = nodes.pop(); load; load = nodes.pop()) {
      if (!this.choosing.allows(load)) continue;
      place(load);
      nodes.push(load);
      return load;
    }
    return undefined;
  }

  /** Branches with fewest tasks first; a full one is passed over. */
  #takeFork({ next }: Fork, place: (load: Load) => void): Load | undefined {
    for (const branch of [...next.values()].sort((a, b) => a.tasks - b.tasks)) {
      const found = this.#take(branch, place);
      if (found) return found;
    }
    return undefined;
  }
}

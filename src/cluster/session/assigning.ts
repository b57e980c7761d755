/**
 * Nodes with a session at this manager are told what they are to have: all of it, then what has changed. Invariant: a node is told
 * nothing before this manager's mirror shows its session, as a view from before may lack what another manager has told it; and to a
 * node that does not read nothing is sent, so that later it is told only what is then.
 */
import type { SwarmRecords } from '../../model/swarm/records.js';
import type { Task } from '../../model/swarm/task.js';
import { createPace } from '../../pace.js';
import { type Assigned, type AssignedTo, assignedTo, difference } from '../control/assignment.js';
import { Shared } from '../control/shared.js';
import type { Mirror, RecordChange } from '../mirror/index.js';
import type { Frames } from './frames.js';
import type { FromManager } from './protocol.js';

/** milliseconds between tellings: what changes together is told together, what changes alone at once */
const DEBOUNCE_MS = 50;
const NOTHING: Assigned = new Map();

export interface Assigning {
  /** The node has been welcomed. */
  begin(nodeId: string, channel: Frames): void;
  end(nodeId: string, channel: Frames): void;
  changed(changes: readonly RecordChange[]): void;
  /** Serf says otherwise than before who answers. */
  failed(): void;
  /** From now on, and as long as its session stands, the node is told of this network. What it is then told is sent when this returns. */
  interest(nodeId: string, networkId: string): void;
}

export interface AssigningSettings {
  readonly mirror: Pick<Mirror, 'state'>;
  /** of this manager's sessions, by node */
  readonly epochs: { get(nodeId: string): string | undefined };
  readonly openSecret: AssignedTo['openSecret'];
  readonly signal: AbortSignal;
}

interface Told {
  readonly nodeId: string;
  readonly channel: Frames;
  readonly asked: Set<string>;
  assigned: Assigned | undefined;
  waits: boolean;
}

/** Whom a change may concern. */
class Marks {
  all = false;
  readonly nodes = new Set<string>();
  readonly networks = new Set<string>();

  task(task: Pick<Task, 'nodeId' | 'networks'> | undefined): void {
    if (!task) return;
    if (task.nodeId !== '') this.nodes.add(task.nodeId);
    for (const { networkId } of task.networks) this.networks.add(networkId);
  }

  concern({ nodeId, asked, assigned }: Told): boolean {
    if (this.all || this.nodes.has(nodeId) || !assigned) return true;
    for (const id of this.networks) if (asked.has(id) || assigned.has(`network/${id}`)) return true;
    return false;
  }
}

const mark = (marks: Marks, state: Mirror['state'], { kind, id, before, after }: RecordChange): void => {
  switch (kind) {
    case 'task':
      // Both are of the change's kind, here and below.
      for (const task of [before, after] as (Task | undefined)[]) marks.task(task);
      break;
    case 'task-status':
      marks.task(state.get('task', id));
      break;
    case 'attach':
      for (const each of [before, after] as (SwarmRecords['attach'] | undefined)[])
        if (each) marks.task({ nodeId: each.nodeId, networks: [each] });
      break;
    case 'service':
      for (const task of state.tasksOf(id).tasks.values()) marks.task(task);
      for (const service of [before, after] as (SwarmRecords['service'] | undefined)[]) {
        for (const { networkId } of service?.endpoint?.virtualIps ?? []) marks.networks.add(networkId);
        for (const { target } of service?.spec.task.networks ?? []) marks.networks.add(target);
      }
      break;
    case 'session':
      marks.nodes.add(id);
      break;
    case 'network':
      marks.networks.add(id);
      if ((after as SwarmRecords['network'] | undefined)?.ingress) marks.all = true;
      break;
    case 'node':
    case 'node-state':
    case 'secret':
    case 'config':
      marks.all = true;
      break;
  }
};

export const createAssigning = ({ mirror, epochs, openSecret, signal }: AssigningSettings): Assigning => {
  const { state } = mirror;
  const shared = new Shared(state);
  const sessions = new Map<string, Told>();
  let marks = new Marks();
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let ended = Number.NEGATIVE_INFINITY;

  const soon = (): void => {
    if (busy || signal.aborted) return;
    timer ??= setTimeout(() => void tellAll(), Math.max(0, ended + DEBOUNCE_MS - performance.now()));
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });

  const tell = (told: Told): void => {
    const { nodeId, channel, asked } = told;
    const epoch = epochs.get(nodeId);
    if (epoch === undefined || state.get('session', nodeId)?.epoch !== epoch) return;
    if (channel.clogged) {
      wait(told);
      return;
    }
    const assigned = assignedTo(state, { nodeId, asked, openSecret }, shared);
    const whole = told.assigned === undefined;
    const change = difference(told.assigned ?? NOTHING, assigned);
    told.assigned = assigned;
    const message: FromManager = { type: 'assign', whole, ...change };
    if (whole || change.set.length + change.unset.length > 0) channel.send(message);
  };

  const wait = (told: Told): void => {
    if (told.waits) return;
    told.waits = true;
    told.channel.drained(() => {
      told.waits = false;
      marks.nodes.add(told.nodeId);
      soon();
    });
  };

  const tellAll = async (): Promise<void> => {
    timer = undefined;
    busy = true;
    const [now, pace] = [marks, createPace()];
    marks = new Marks();
    let concerned = false;
    for (const told of [...sessions.values()]) {
      if (signal.aborted) return;
      if (sessions.get(told.nodeId) === told && now.concern(told)) {
        tell(told);
        concerned = true;
      }
      if (pace.due()) await pace.rest();
    }
    shared.forget();
    busy = false;
    if (concerned) ended = performance.now();
    if (marks.all || marks.nodes.size + marks.networks.size > 0) soon();
  };

  return {
    begin(nodeId, channel) {
      sessions.set(nodeId, { nodeId, channel, asked: new Set(), assigned: undefined, waits: false });
      marks.nodes.add(nodeId);
      soon();
    },
    end(nodeId, channel) {
      if (sessions.get(nodeId)?.channel === channel) sessions.delete(nodeId);
    },
    changed(changes) {
      for (const change of changes) mark(marks, state, change);
      if (sessions.size > 0 && changes.length > 0) soon();
    },
    failed() {
      marks.all = true;
      soon();
    },
    interest(nodeId, networkId) {
      const told = sessions.get(nodeId);
      if (!told) return;
      told.asked.add(networkId);
      tell(told);
    },
  };
};

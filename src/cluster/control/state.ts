/**
 * What is known of a cluster, with the indices that controllers read it by: a manager's mirror fills it from etcd, a pass of
 * the controllers tries its decisions on it and takes them back (draft.ts). To set one record costs the same however many there
 * are. A bucket's revision changes with everything that decides about its tasks, so that whoever has looked at a bucket need
 * not look again until it does (quiet.ts).
 */
import { reservedBy } from '../../ipam/space.js';
import { Subnets } from '../../ipam/subnets.js';
import { Taken, type Takes } from '../../ipam/taken.js';
import type { Instant } from '../../model/swarm/kept.js';
import { type Kind, keyOf, type SwarmRecords } from '../../model/swarm/records.js';
import { statusOf, type Task, type TaskReport, type TaskStatus } from '../../model/swarm/task.js';
import { OnNetworks } from './on-networks.js';

export interface Bucket {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly revision: number;
}

interface MutableBucket extends Bucket {
  readonly tasks: Map<string, Task>;
  revision: number;
}

type Table<K extends Kind> = Map<string, SwarmRecords[K]>;
type Tables = { readonly [K in Kind]: Table<K> };

const EMPTY: Bucket = { tasks: new Map(), revision: 0 };
const NOTHING: ReadonlySet<string> = new Set();

/** It is still wanted: not told to stop. */
export const isWanted = ({ desired }: Task): boolean => desired !== 'shutdown' && desired !== 'remove';

const before = (text: string, separator = '/'): string => text.slice(0, text.indexOf(separator));
const behind = (text: string, separator = '/'): string => text.slice(text.indexOf(separator) + 1);

/** Kinds whose records say whose something is. */
const CLAIMS: ReadonlySet<Kind> = new Set(['name', 'ip', 'port', 'vni', 'number'] as const);

export class ClusterState {
  readonly #tables: Tables = {
    cluster: new Map(),
    node: new Map(),
    'node-state': new Map(),
    session: new Map(),
    service: new Map(),
    'service-spec': new Map(),
    task: new Map(),
    'task-status': new Map(),
    network: new Map(),
    secret: new Map(),
    config: new Map(),
    attach: new Map(),
    name: new Map(),
    ip: new Map(),
    port: new Map(),
    vni: new Map(),
    number: new Map(),
    subnets: new Map(),
    turn: new Map(),
  };
  readonly #byService = new Map<string, MutableBucket>();
  readonly #byNode = new Map<string, MutableBucket>();
  /** owner's key → keys of what it has */
  readonly #owned = new Map<string, Set<string>>();
  readonly #missing = new Set<string>();
  readonly #versionsOf = new Map<string, Set<number>>();
  readonly #taken = new Taken();
  readonly #routes = new Subnets();
  readonly #lost = new Map<string, Instant>();
  readonly #unallocated = new Map<string, Task>();
  readonly #unassigned = new Map<string, Task>();
  readonly onNetworks = new OnNetworks();
  #revision = 0;
  #nodesRevision = 0;

  /** `since`: what went before it, this manager cannot say when; `failed`: nodes that do not answer, as Serf says. */
  constructor(
    readonly since: Instant,
    readonly failed: ReadonlySet<string> = NOTHING,
  ) {}

  get<K extends Kind>(kind: K, id: string): SwarmRecords[K] | undefined {
    return this.#tables[kind].get(id);
  }

  all<K extends Kind>(kind: K): ReadonlyMap<string, SwarmRecords[K]> {
    return this.#tables[kind];
  }

  /** By a key of `keyOf`. */
  has(key: string): boolean {
    const kind = key.includes('/') ? before(key) : key;
    const table = kind in this.#tables ? this.#tables[kind as Kind] : undefined; // `in` says that it is one
    return table?.has(key.includes('/') ? behind(key) : '') === true;
  }

  /** All tasks of a service, also of one that is no more. */
  tasksOf(serviceId: string): Bucket {
    return this.#byService.get(serviceId) ?? EMPTY;
  }

  tasksOn(nodeId: string): Bucket {
    return this.#byNode.get(nodeId) ?? EMPTY;
  }

  get nodesWithTasks(): Iterable<string> {
    return this.#byNode.keys();
  }

  get serviceBuckets(): ReadonlyMap<string, Bucket> {
    return this.#byService;
  }

  status(task: Task): TaskStatus {
    return statusOf(task, this.report(task));
  }

  report({ id }: Task): TaskReport | undefined {
    return this.#tables['task-status'].get(id);
  }

  /** Keys of what the record with this key has: addresses, ports, names. Sorted: an index that was changed and taken back has another order. */
  owned(owner: string): readonly string[] {
    return [...(this.#owned.get(owner) ?? NOTHING)].sort();
  }

  /** Owners of something that are not there. */
  get missingOwners(): Iterable<string> {
    return this.#missing;
  }

  /** The versions of a service's spec that are kept. */
  specVersions(serviceId: string): Iterable<number> {
    return this.#versionsOf.get(serviceId) ?? [];
  }

  /** Services of whose spec versions are kept. */
  get specOwners(): Iterable<string> {
    return this.#versionsOf.keys();
  }

  get taken(): Taken {
    return this.#taken;
  }

  /** What nodes route by themselves. */
  get routes(): Subnets {
    return this.#routes;
  }

  /** When the node's session was seen to go; where none was seen, when the mirror began. */
  lostAt(nodeId: string): Instant {
    return this.#lost.get(nodeId) ?? this.since;
  }

  /** Wanted tasks without addresses, and with them but not given to a node. */
  get unallocated(): Iterable<Task> {
    return this.#unallocated.values();
  }
  get unassigned(): Iterable<Task> {
    return this.#unassigned.values();
  }

  /** Of all nodes together. */
  get nodesRevision(): number {
    return this.#nodesRevision;
  }

  /** `at`: when it was seen. */
  set<K extends Kind>(kind: K, id: string, record: SwarmRecords[K] | undefined, at: Instant): void {
    const table: Table<K> = this.#tables[kind];
    const old = table.get(id);
    if (record) table.set(id, record);
    else table.delete(id);
    this.#index(kind, id, old, record, at);
    if ((old !== undefined) !== (record !== undefined)) this.#settleOwner(keyOf(kind, id));
  }

  #settleOwner(owner: string): void {
    if (this.#owned.has(owner) && !this.has(owner)) this.#missing.add(owner);
    else this.#missing.delete(owner);
  }

  #index(kind: Kind, id: string, old: unknown, record: unknown, at: Instant): void {
    // What is in the table of a kind is of that kind.
    switch (kind) {
      case 'task':
        this.#indexTask(id, old as Task | undefined, record as Task | undefined);
        break;
      case 'task-status': {
        const task = this.#tables.task.get(id);
        if (!task) break;
        this.#touchTask(task);
        this.onNetworks.reported(task);
        break;
      }
      case 'service':
        this.onNetworks.service(
          id,
          old as SwarmRecords['service'] | undefined,
          record as SwarmRecords['service'] | undefined,
        );
        this.#touch(this.#byService, id);
        this.#forgetEmpty(id);
        break;
      case 'service-spec':
        this.#indexSpec(id, record !== undefined);
        break;
      case 'node':
        this.#touchNode(id);
        break;
      case 'node-state':
        this.#count(old as SwarmRecords['node-state'] | undefined, -1);
        this.#count(record as SwarmRecords['node-state'] | undefined, 1);
        this.#touchNode(id);
        break;
      case 'session':
        if (record) this.#lost.delete(id);
        else this.#lost.set(id, at);
        break;
      case 'network':
        this.#take(old as SwarmRecords['network'] | undefined, -1);
        this.#take(record as SwarmRecords['network'] | undefined, 1);
        break;
      case 'attach':
        this.onNetworks.attachment(
          id,
          old as SwarmRecords['attach'] | undefined,
          record as SwarmRecords['attach'] | undefined,
        );
        break;
      default:
        if (CLAIMS.has(kind)) this.#indexClaim(kind, id, old, record);
    }
  }

  #count(state: SwarmRecords['node-state'] | undefined, by: 1 | -1): void {
    for (const route of state?.routes ?? [])
      if (by > 0) this.#routes.add(route);
      else this.#routes.remove(route);
  }

  #take(record: SwarmRecords['network'] | undefined, by: 1 | -1): void {
    if (!record) return;
    const { pools } = record.network;
    const takes: Takes = {
      subnets: pools.map(({ subnet }) => subnet),
      addresses: pools.flatMap((pool) =>
        reservedBy(pool).map((address) => ({ networkId: record.id, address })),
      ),
    };
    this.#taken.count(takes, by);
  }

  #indexClaim(kind: Kind, id: string, old: unknown, record: unknown): void {
    const key = keyOf(kind, id);
    const [former, present] = [old, record] as (SwarmRecords['ip'] | undefined)[]; // a table of claims holds claims
    if (former) {
      const keys = this.#owned.get(former.owner);
      keys?.delete(key);
      if (keys?.size === 0) this.#owned.delete(former.owner);
      this.#settleOwner(former.owner);
    }
    if (present) {
      const keys = this.#owned.get(present.owner) ?? new Set();
      this.#owned.set(present.owner, keys.add(key));
      this.#settleOwner(present.owner);
    }
    if (kind !== 'ip' || (former !== undefined) === (present !== undefined)) return;
    const addresses = [{ networkId: before(id), address: behind(id) }];
    this.#taken.count({ addresses }, present ? 1 : -1);
  }

  #indexSpec(id: string, there: boolean): void {
    const [service, version] = [before(id), Number(behind(id))];
    const versions = this.#versionsOf.get(service) ?? new Set();
    if (there) this.#versionsOf.set(service, versions.add(version));
    else versions.delete(version);
    if (versions.size === 0) this.#versionsOf.delete(service);
    this.#touch(this.#byService, service);
    this.#forgetEmpty(service);
  }

  #indexTask(id: string, old: Task | undefined, task: Task | undefined): void {
    this.onNetworks.task(id, old, task);
    if (old) {
      this.#touchTask(old);
      if (old.serviceId !== task?.serviceId) this.#leave(this.#byService, old.serviceId, id);
      if (old.nodeId !== task?.nodeId) this.#leave(this.#byNode, old.nodeId, id);
    }
    this.#unallocated.delete(id);
    this.#unassigned.delete(id);
    if (!task) return;
    this.#touch(this.#byService, task.serviceId).tasks.set(id, task);
    if (task.nodeId !== '') this.#touch(this.#byNode, task.nodeId).tasks.set(id, task);
    if (!isWanted(task)) return;
    if (task.status.state === 'new') this.#unallocated.set(id, task);
    if (task.status.state === 'pending') this.#unassigned.set(id, task);
  }

  /** A service that is gone, and of which no task is left. */
  #forgetEmpty(id: string): void {
    if (!this.#tables.service.has(id) && this.#byService.get(id)?.tasks.size === 0)
      this.#byService.delete(id);
  }

  #leave(buckets: Map<string, MutableBucket>, id: string, task: string): void {
    const bucket = buckets.get(id);
    bucket?.tasks.delete(task);
    if (bucket?.tasks.size === 0 && !this.#tables.service.has(id)) buckets.delete(id);
  }

  #touch(buckets: Map<string, MutableBucket>, id: string): MutableBucket {
    const bucket = buckets.get(id) ?? { tasks: new Map(), revision: 0 };
    this.#revision += 1;
    bucket.revision = this.#revision;
    buckets.set(id, bucket);
    return bucket;
  }

  #touchTask({ serviceId, nodeId }: Task): void {
    this.#touch(this.#byService, serviceId);
    if (nodeId !== '') this.#touch(this.#byNode, nodeId);
  }

  #touchNode(id: string): void {
    this.#nodesRevision += 1;
    const { tasks } = this.#touch(this.#byNode, id);
    for (const { serviceId } of tasks.values()) this.#touch(this.#byService, serviceId);
  }
}

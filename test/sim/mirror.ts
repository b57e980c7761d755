/** A manager's view of the store, as old as it is let be. */
import { ClusterState } from '../../src/cluster/control/state.js';
import type { Instant } from '../../src/model/swarm/kept.js';
import type { Kind, SwarmRecords } from '../../src/model/swarm/records.js';
import type { Entry, Store } from './store.js';

export const PREFIX = 'c/';
const SINGLE = new Set(['cluster', 'subnets', 'turn']);
const NOT_RECORDS = new Set(['leader']);

/** Kind and id of a key; undefined: no record's. */
export const parseKey = (key: string): { readonly kind: Kind; readonly id: string } | undefined => {
  const rest = key.slice(PREFIX.length);
  if (NOT_RECORDS.has(rest)) return undefined;
  const slash = rest.indexOf('/');
  if (SINGLE.has(rest)) return { kind: rest as Kind, id: '' }; // the store has no others
  return { kind: rest.slice(0, slash) as Kind, id: rest.slice(slash + 1) };
};

/** All mirrors read the same entries. */
const PARSED = new WeakMap<Entry, object>();
const parse = (entry: Entry): object => {
  const { form: _form, ...value } = JSON.parse(entry.value);
  PARSED.set(entry, value);
  return value;
};

/** `first`: what is there already of the record. */
const decode = (entry: Entry, at: Instant, first?: { readonly firstSeen: Instant }): SwarmRecords[Kind] => {
  const value = PARSED.get(entry) ?? parse(entry);
  return {
    ...value,
    version: entry.version,
    created: entry.created,
    seen: at,
    firstSeen: first?.firstSeen ?? at,
  } as SwarmRecords[Kind]; // written by the code that is tested
};

export class Mirror {
  readonly state: ClusterState;
  /** up to which revision */
  reached: number;
  leader: Entry | undefined;

  constructor(
    readonly store: Store,
    readonly failed: ReadonlySet<string>,
  ) {
    this.state = new ClusterState(store.now(), failed);
    this.reached = 0;
    this.#readAll();
  }

  /** Where the log is forgotten, all is read again. */
  catchUp(to = this.store.revision): void {
    while (this.reached < to) {
      const events = this.store.at(this.reached + 1);
      if (!events) {
        this.#readAll();
        return;
      }
      this.reached += 1;
      for (const { key, entry } of events) this.#set(key, entry);
    }
  }

  #readAll(): void {
    for (const kind of KINDS)
      for (const id of [...this.state.all(kind).keys()]) {
        const key = PREFIX + (SINGLE.has(kind) ? kind : `${kind}/${id}`);
        if (!this.store.keys.has(key)) this.#set(key, undefined);
      }
    this.leader = undefined;
    for (const [key, entry] of this.store.keys) {
      const known = parseKey(key);
      const record = known && this.state.get(known.kind, known.id);
      if (record?.version !== entry.version) this.#set(key, entry);
    }
    this.reached = this.store.revision;
  }

  #set(key: string, entry: Entry | undefined): void {
    if (key === `${PREFIX}leader`) this.leader = entry;
    const known = parseKey(key);
    if (!known) return;
    const now = this.store.now();
    const former = this.state.get(known.kind, known.id);
    this.state.set(known.kind, known.id, (entry && decode(entry, now, former)) as never, now); // of its own kind
  }
}

const KINDS: readonly Kind[] = [
  ...([
    'cluster',
    'node',
    'node-state',
    'session',
    'service',
    'service-spec',
    'task',
    'task-status',
  ] as const),
  ...([
    'network',
    'secret',
    'config',
    'attach',
    'name',
    'ip',
    'port',
    'vni',
    'number',
    'subnets',
    'turn',
  ] as const),
];

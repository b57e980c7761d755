/**
 * A manager's copy of its cluster, in memory: the records that controllers and the API read, who leads, which managers live. Filled by
 * one watch (follow.ts); nothing else reads etcd.
 */
import type { Logger } from '../../log.js';
import type { Kept } from '../../model/swarm/kept.js';
import type { Kind, SwarmRecords } from '../../model/swarm/records.js';
import { ClusterState } from '../control/state.js';
import type { Entry, Etcd } from '../etcd/contract.js';
import { type Holder, holderIn } from '../lead.js';
import { decodeRecord, isKind } from './codec.js';
import { type Followed, follow, type KeyChange } from './follow.js';
import { kindOf, LEADER, MANAGER, MEMBER, prefixOf, SECRETS_KEY } from './keys.js';
import { type MemberRecord, readMember } from './member.js';

export interface RecordChange {
  readonly kind: Kind;
  readonly id: string;
  readonly before: SwarmRecords[Kind] | undefined;
  readonly after: SwarmRecords[Kind] | undefined;
}

export interface Mirror extends Pick<Followed, 'revision' | 'silentSince' | 'reached' | 'current' | 'ready'> {
  readonly prefix: string;
  readonly state: ClusterState;
  /** by node id: members of etcd with a vote */
  readonly members: ReadonlyMap<string, MemberRecord>;
  /** by node id: managers whose lease lives */
  readonly living: ReadonlySet<string>;
  readonly leader: Holder | undefined;
  /** sealed, and the revision of its last change */
  readonly secrets: { readonly sealed: string; readonly revision: number } | undefined;
}

export interface MirrorSettings {
  readonly etcd: Pick<Etcd, 'range' | 'watch'>;
  readonly clusterId: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly now: () => number;
  /** nodes that do not answer, as Serf says */
  readonly failed: ReadonlySet<string>;
  /** Told of each revision: records, and whether anything of the managers' own has changed. Must not throw. */
  readonly changed: (records: readonly RecordChange[]) => void;
  readonly heard: (silent: Error | undefined) => void;
}

export const createMirror = (settings: MirrorSettings): Mirror => {
  const { log, now } = settings;
  const prefix = prefixOf(settings.clusterId);
  const state = new ClusterState(now(), settings.failed);
  const members = new Map<string, MemberRecord>();
  const living = new Set<string>();
  let leader: Mirror['leader'];
  let secrets: Mirror['secrets'];

  const record = <K extends Kind>(
    kind: K,
    id: string,
    entry: Entry | undefined,
  ): RecordChange | undefined => {
    const before = state.get(kind, id);
    const at = now();
    const after = entry && read(kind, entry, before, at);
    if (!before && !after) return undefined;
    state.set(kind, id, after, at);
    return { kind, id, before, after };
  };

  const read = <K extends Kind>(
    kind: K,
    entry: Entry,
    before: SwarmRecords[K] | undefined,
    at: number,
  ): SwarmRecords[K] | undefined => {
    try {
      const kept: Kept = {
        version: entry.modRevision,
        created: entry.createRevision,
        seen: at,
        firstSeen: before?.firstSeen ?? at,
      };
      return { ...decodeRecord(kind, entry.value), ...kept } as unknown as SwarmRecords[K]; // value and what the mirror adds are the record
    } catch (error) {
      log.error(
        { key: entry.key, error: String(error) },
        'a record of the cluster cannot be read and is left out',
      );
      return undefined;
    }
  };

  /** Keys that are no records. */
  const own = ({ key, after }: KeyChange): boolean => {
    if (key === LEADER) leader = after && holderIn(after);
    else if (key === SECRETS_KEY) secrets = after && { sealed: after.value, revision: after.modRevision };
    else if (key.startsWith(MANAGER)) {
      const node = key.slice(MANAGER.length);
      if (after) living.add(node);
      else living.delete(node);
    } else if (key.startsWith(MEMBER)) {
      const node = key.slice(MEMBER.length);
      const member = after && readMember(after.value);
      if (member) members.set(node, member);
      else members.delete(node);
    } else return false;
    return true;
  };

  const take = (changes: readonly KeyChange[]): void => {
    const records: RecordChange[] = [];
    for (const change of changes) {
      if (own(change)) continue;
      const named = kindOf(change.key);
      if (!named || !isKind(named.kind)) continue;
      const changed = record(named.kind, named.id, change.after);
      if (changed) records.push(changed);
    }
    settings.changed(records);
  };

  const followed = follow({
    etcd: settings.etcd,
    prefix,
    signal: settings.signal,
    changed: take,
    heard: settings.heard,
    overtaken: () =>
      log.info(
        {},
        'the cluster’s store has forgotten changes that were not read yet: everything was read again',
      ),
  });
  return {
    prefix,
    state,
    members,
    living,
    get leader() {
      return leader;
    },
    get secrets() {
      return secrets;
    },
    get revision() {
      return followed.revision;
    },
    get silentSince() {
      return followed.silentSince;
    },
    ready: followed.ready,
    reached: followed.reached,
    current: followed.current,
  };
};

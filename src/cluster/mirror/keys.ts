/**
 * Where a cluster's records lie in etcd: `/viaduct/swarm/CLUSTER/1/KIND/ID`. The kinds of SwarmRecords are what controllers decide by;
 * beside them lie a few keys that only the managers' own life is about.
 */
import { type Kind, keyOf } from '../../model/swarm/records.js';

/** The number is that of the records' form: another one would be another tree beside this one. */
export const prefixOf = (clusterId: string): string => `/viaduct/swarm/${clusterId}/1/`;

/** Who leads: the id of its node, under its lease. */
export const LEADER = 'leader';
/** `member/NODE`: it is a member of etcd with a vote, until it is taken out. */
export const MEMBER = 'member/';
/** `manager/NODE`, under its lease: it lives and can be asked. */
export const MANAGER = 'manager/';
/** What only managers may know, sealed. */
export const SECRETS_KEY = 'cluster/keys';

const SINGLE: ReadonlySet<string> = new Set(['cluster', 'subnets', 'turn'] satisfies Kind[]);

/** The kind and id that a key names; undefined where it is no record's. Without the prefix. */
export const kindOf = (key: string): { readonly kind: string; readonly id: string } | undefined => {
  const slash = key.indexOf('/');
  if (slash < 0) return SINGLE.has(key) ? { kind: key, id: '' } : undefined;
  const kind = key.slice(0, slash);
  return SINGLE.has(kind) ? undefined : { kind, id: key.slice(slash + 1) };
};

export { keyOf };

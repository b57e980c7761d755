/**
 * A cluster begins anew with one of its managers (`init --force-new-cluster`): its records stay, the other managers are none any more,
 * and nobody has a session. What the others have on their disks is of no account when they come back: they are told that they are workers.
 */
import type { Logger } from '../../log.js';
import type { Kept } from '../../model/swarm/kept.js';
import type { Node } from '../../model/swarm/node.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Entry, Operation } from '../etcd/contract.js';
import { pages } from '../etcd/pages.js';
import { decodeRecord } from '../mirror/codec.js';
import { LEADER, MANAGER, MEMBER, prefixOf } from '../mirror/keys.js';
import { writeMember } from '../mirror/member.js';
import { put } from '../mirror/write.js';

/** Of one transaction; etcd takes 128. */
const MOST = 100;

export interface AnewSettings {
  readonly clusterId: string;
  readonly nodeId: string;
  /** `host:port` of this manager's door */
  readonly address: string;
  readonly now: () => number;
  readonly log: Logger;
}

const nodeOf = (entry: Entry): Node | undefined => {
  const kept: Kept = { version: entry.modRevision, created: entry.createRevision, seen: 0, firstSeen: 0 };
  try {
    return { ...decodeRecord('node', entry.value), ...kept };
  } catch {
    return undefined; // it is left out by every mirror too
  }
};

/** What is to be written where the keys are as they are. Pure. */
export const beginAnew = (
  entries: readonly Entry[],
  prefix: string,
  own: { readonly nodeId: string; readonly member: Operation & { readonly key: string } },
  now: number,
): readonly Operation[] => {
  const below = (entry: Entry): string => entry.key.slice(prefix.length);
  const stale = [MEMBER, MANAGER, 'session/', LEADER];
  const gone = entries
    .filter((entry) => stale.some((start) => below(entry).startsWith(start)))
    .filter((entry) => entry.key !== own.member.key)
    .map((entry): Operation => ({ do: 'delete', key: entry.key }));
  const demoted = entries
    .filter((entry) => below(entry).startsWith('node/'))
    .flatMap((entry) => nodeOf(entry) ?? [])
    .filter(({ id, role }) => role === 'manager' && id !== own.nodeId)
    .map((node) => put(prefix, 'node', { ...node, role: 'worker', updatedAt: now }));
  return [...gone, ...demoted, own.member];
};

/** On a member that is alone already. */
export const writeAnew = async (etcd: EtcdClient, settings: AnewSettings): Promise<void> => {
  const prefix = prefixOf(settings.clusterId);
  const entries: Entry[] = [];
  for await (const page of pages(etcd, prefix)) entries.push(...page.entries);
  const { memberId } = await etcd.status();
  const member = {
    do: 'put',
    key: `${prefix}${MEMBER}${settings.nodeId}`,
    value: writeMember({ address: settings.address, member: memberId }),
  } as const;
  const operations = beginAnew(entries, prefix, { nodeId: settings.nodeId, member }, settings.now());
  for (let at = 0; at < operations.length; at += MOST)
    await etcd.txn({ success: operations.slice(at, at + MOST) });
  settings.log.warn({}, 'the cluster begins anew with this manager alone');
};

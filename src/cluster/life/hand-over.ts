/**
 * A manager that goes hands over what it leads before it is missed: who is only found missing leaves the others without a leader for as
 * long as a lease or an election takes. A restart of its daemon is no going.
 */
import type { Etcd, EtcdAdmin } from '../etcd/contract.js';
import type { Fence } from '../lead.js';
import type { Mirror } from '../mirror/index.js';

interface Going {
  readonly mirror: Pick<Mirror, 'members' | 'living'>;
  readonly etcd: Pick<Etcd, 'txn'> & Pick<EtcdAdmin, 'status' | 'handOver'>;
  readonly nodeId: string;
}

/** Of etcd, to a manager that lives; nothing where this one does not lead it, or is the only one. */
export const handOverEtcd = async ({ mirror, etcd, nodeId }: Going): Promise<void> => {
  const [, heir] = [...mirror.members].find(([id]) => id !== nodeId && mirror.living.has(id)) ?? [];
  if (!heir) return;
  const { leader, memberId } = await etcd.status();
  if (leader === memberId) await etcd.handOver(heir.member);
};

/** Of the controllers too, where `fence` says that they are led here: whoever sees the key gone first leads. */
export const handOver = async (going: Going, fence: Fence | undefined): Promise<void> => {
  if (fence) await going.etcd.txn({ compare: [fence], success: [{ do: 'delete', key: fence.key }] });
  await handOverEtcd(going);
};

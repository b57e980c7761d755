/** Records as operations of a transaction, in the form in which every manager's mirror reads them. */
import type { Kept } from '../../model/swarm/kept.js';
import type { Kind, SwarmRecords } from '../../model/swarm/records.js';
import { writtenOf } from '../control/draft.js';
import { encode } from '../control/transactions.js';
import type { Operation } from '../etcd/contract.js';
import { keyOf } from './keys.js';

/** There is one cluster: its id is in the record, not in the key. */
const idOf = (kind: Kind, { id }: { readonly id: string }): string => (kind === 'cluster' ? '' : id);

export const textOf = (record: Kept): string => encode(writtenOf(record));

export const put = <K extends Kind>(prefix: string, kind: K, record: SwarmRecords[K]): Operation => ({
  do: 'put',
  key: prefix + keyOf(kind, idOf(kind, record)),
  value: textOf(record),
});

export const remove = (prefix: string, kind: Kind, id: string): Operation => ({
  do: 'delete',
  key: prefix + keyOf(kind, id),
});

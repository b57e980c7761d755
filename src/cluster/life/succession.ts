/**
 * `docker swarm ca --rotate`: what a user wants is written by the manager that is asked, and each further step by whoever leads, once all
 * nodes say that they are so far. The record of the cluster and what only managers know of it change in one transaction.
 */
import type { Logger } from '../../log.js';
import type { Cluster } from '../../model/swarm/cluster.js';
import { createAuthority, readAuthority } from '../ca/authority.js';
import { parse } from '../ca/certificate.js';
import type { Authority } from '../ca/contract.js';
import { type Authorities, afterStep, nextStep, replaceAuthority } from '../ca/succession.js';
import type { ClusterSpecRequest } from '../contract.js';
import type { ClusterState } from '../control/state.js';
import type { Compare, Txn } from '../etcd/contract.js';
import type { Fence } from '../lead.js';
import type { Mirror } from '../mirror/index.js';
import { keyOf, SECRETS_KEY } from '../mirror/keys.js';
import { put } from '../mirror/write.js';
import { rpcError } from '../rpc.js';
import { type ClusterSecrets, sealSecrets } from './secrets.js';
import type { Store } from './store.js';

const YEAR = 365 * 86_400_000;

/**
 * The authority that is to take the present one's place; undefined: none. `forced`: the number of former wishes for a new one.
 * Throws invalid.
 */
export const wantedAuthority = (
  { authority, spec }: ClusterSpecRequest,
  forced: number,
  now: number,
): Authority | undefined => {
  if (!authority) return (spec.forceRotate ?? 0) === forced ? undefined : createAuthority(now);
  if (authority.certificate === '')
    throw rpcError(
      'InvalidArgument',
      'if a signing CA key is provided, the signing CA cert must also be provided',
    );
  if (authority.key === '')
    throw rpcError(
      'InvalidArgument',
      'the key of the desired CA certificate is missing: give it with --ca-key, as external certificate authorities are not supported',
    );
  const read = readAuthority(authority.certificate, authority.key, now);
  if (Date.parse(parse(read.certificate).validTo) < now + YEAR)
    throw rpcError('InvalidArgument', 'CA certificate expires too soon');
  return read;
};

interface Both {
  readonly record: Cluster;
  readonly secrets: ClusterSecrets;
}

const authoritiesOf = ({ record, secrets }: Both): Authorities => {
  const { authorities, bridges, rotation } = record;
  return {
    succession: { authorities, ...(bridges ? { bridges } : {}), ...(rotation ? { rotation } : {}) },
    signers: { authority: secrets.authority, ...(secrets.next ? { next: secrets.next } : {}) },
  };
};

const withAuthorities = (both: Both, { succession, signers }: Authorities): Both => {
  const { bridges, rotation, ...record } = both.record;
  const { next, ...secrets } = both.secrets;
  const { authority } = signers;
  return {
    record: { ...record, ...succession },
    secrets: { ...secrets, authority, ...(signers.next ? { next: signers.next } : {}) },
  };
};

/** Throws invalid where `next` cannot follow. */
export const succeeding = (both: Both, next: Authority, now: number): Both =>
  withAuthorities(both, replaceAuthority(authoritiesOf(both), next, now));

/** Carried out where both are as they were; `secrets` undefined: they are not written. */
export const clusterTxn = (
  { prefix, dataKey }: { readonly prefix: string; readonly dataKey: Buffer },
  { record, secrets }: Both,
  was: { readonly version: number; readonly secrets: number | undefined },
): Txn & { readonly compare: readonly Compare[] } => {
  const key = prefix + SECRETS_KEY;
  return {
    compare: [
      { key: prefix + keyOf('cluster', ''), modRevision: was.version },
      ...(was.secrets === undefined ? [] : [{ key, modRevision: was.secrets }]),
    ],
    success: [
      put(prefix, 'cluster', record),
      ...(was.secrets === undefined
        ? []
        : [{ do: 'put' as const, key, value: sealSecrets(dataKey, record.id, secrets) }]),
    ],
  };
};

export interface SuccessionSettings {
  readonly mirror: Pick<Mirror, 'state' | 'prefix' | 'secrets'>;
  readonly store: Store;
  readonly dataKey: Buffer;
  readonly secrets: () => ClusterSecrets;
  readonly now: () => number;
  readonly log: Logger;
}

/** What each node says of its certificate, in no order; undefined: nothing yet. */
const saidBy = (state: ClusterState) =>
  [...state.all('node').keys()].map((id) => state.get('node-state', id)?.description.tls);

/** What the leader does: the step that is due, if any. Where somebody else was quicker, the mirror soon tells. */
export const createSuccession =
  ({ mirror, store, dataKey, secrets, now, log }: SuccessionSettings) =>
  async (leader: Fence): Promise<void> => {
    const { state, prefix } = mirror;
    const record = state.get('cluster', '');
    const step = record && nextStep(record, saidBy(state));
    if (!record || !step || !mirror.secrets) return;
    // Who has seen the record before may change it all the same: nothing that a user asked for is another.
    const both = {
      record: { ...record, asked: record.asked ?? record.version, updatedAt: now() },
      secrets: secrets(),
    };
    const after = afterStep(authoritiesOf(both), step);
    if (!after) return;
    const { compare, success } = clusterTxn({ prefix, dataKey }, withAuthorities(both, after), {
      version: record.version,
      secrets: mirror.secrets.revision,
    });
    if (!(await store.commit({ compare: [leader, ...compare], success }))) return;
    log.info(
      {},
      step === 'trust'
        ? 'every node has a certificate by the new authority, which is trusted alone from now on'
        : 'every node trusts the new authority',
    );
  };

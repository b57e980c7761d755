/** A cluster begins: an authority, a first node that is its manager, and the records that all else is built on. */
import { randomBytes } from 'node:crypto';
import type { Cluster } from '../../model/swarm/cluster.js';
import { unwritten } from '../../model/swarm/kept.js';
import { createAuthority, generateKey, issue, requestCertificate } from '../ca/authority.js';
import type { InitRequest } from '../contract.js';
import { ClusterState } from '../control/state.js';
import { transaction } from '../control/transactions.js';
import type { EtcdClient } from '../etcd/client.js';
import { newId } from '../ids.js';
import { keyOf, MEMBER, prefixOf, SECRETS_KEY } from '../mirror/keys.js';
import { writeMember } from '../mirror/member.js';
import { put } from '../mirror/write.js';
import { routesToTell } from '../routes.js';
import { type HostInterface, joinPlace, resolveAddresses } from './addresses.js';
import type { NodeFiles, SavedState } from './files.js';
import { makeIngress, type NetworkRules } from './networks.js';
import { freshNode } from './reception.js';
import { freshSecrets, sealSecrets } from './secrets.js';
import { DEFAULT_SPEC, mergeSpec } from './spec.js';
import { wantedAuthority } from './succession.js';

const NS_PER_MS = 1_000_000;
const KEY_BYTES = 32;
const POOL = '10.0.0.0/8';

export interface InitSettings {
  readonly files: NodeFiles;
  readonly interfaces: readonly HostInterface[];
  readonly rules: NetworkRules;
  /** what this host routes by itself */
  readonly routes: readonly string[];
  /** of the daemon's settings; empty: none */
  readonly defaultAdvertise: string;
  readonly now: () => number;
}

/** What is written before anybody else can read it; nothing where there is a cluster already. */
export interface Founding {
  readonly state: SavedState;
  readonly found: (etcd: EtcdClient) => Promise<void>;
}

export const init = (settings: InitSettings, request: InitRequest): Founding => {
  const { files, interfaces, defaultAdvertise } = settings;
  const { listen, advertise, dataPath } = resolveAddresses(
    { listen: request.listen, advertise: request.advertise, dataPath: request.dataPath, defaultAdvertise },
    interfaces,
  );
  const spec = mergeSpec(DEFAULT_SPEC, request.spec);
  const now = settings.now();
  const authority = wantedAuthority(request.spec, spec.forceRotate, now) ?? createAuthority(now);
  const [clusterId, nodeId, key] = [newId(), newId(), generateKey()];
  const dataKey = randomBytes(KEY_BYTES);
  const certificate = issue(authority, requestCertificate(key), {
    nodeId,
    role: 'manager',
    clusterId,
    addresses: [advertise.host],
    now,
    validFor: spec.nodeCertExpiry / NS_PER_MS,
  });
  const address = joinPlace(advertise);
  const state: SavedState = {
    version: 1,
    clusterId,
    nodeId,
    role: 'manager',
    listen: joinPlace(listen),
    advertise: address,
    dataPath,
    managers: [{ id: nodeId, address }],
    gossipKeys: [randomBytes(KEY_BYTES).toString('base64')],
    founding: true,
  };
  files.saveCertificate(certificate, authority.certificate, key);
  files.saveDataKey(dataKey);
  files.saveState(state);
  const cluster: Cluster = {
    ...unwritten(now),
    id: clusterId,
    spec,
    createdAt: now,
    updatedAt: now,
    authorities: authority.certificate,
    addressPools: request.pools.length > 0 ? request.pools : [POOL],
    subnetSize: request.subnetSize,
    dataPort: request.dataPathPort,
  };
  const node = freshNode(nodeId, now, { role: 'manager', availability: request.availability });
  const secrets = freshSecrets(authority, state.gossipKeys[0] ?? '', spec.autoLock);
  const prefix = prefixOf(clusterId);
  const empty = new ClusterState(now);
  // The node says so itself as soon as it has a session; the ingress network is chosen before.
  for (const route of routesToTell(settings.routes)) empty.routes.add(route);
  empty.set('cluster', '', cluster, now);
  const ingress = makeIngress(
    { state: empty, now, newId },
    { rules: settings.rules, dataAddress: dataPath || advertise.host },
  );
  return {
    state,
    async found(etcd) {
      const { memberId } = await etcd.status();
      await etcd.txn({
        compare: [{ key: prefix + keyOf('cluster', ''), createRevision: 0 }],
        success: [
          put(prefix, 'cluster', cluster),
          put(prefix, 'node', node),
          ...transaction(ingress, prefix).success,
          {
            do: 'put',
            key: `${prefix}${MEMBER}${nodeId}`,
            value: writeMember({ address, member: memberId }),
          },
          { do: 'put', key: prefix + SECRETS_KEY, value: sealSecrets(dataKey, clusterId, secrets) },
        ],
      });
    },
  };
};

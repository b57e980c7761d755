/**
 * A cluster without swarm (`--cluster-store`): each daemon is a client of the user's etcd, follows what the others write there, and
 * writes what is its own. While the store is away nothing changes for what runs; what needs it is refused in words.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ClusterConfig } from '../../config/contract.js';
import type { Logger } from '../../log.js';
import type { Vtep } from '../../model/peer.js';
import { createEtcdClient } from '../etcd/client.js';
import type { ClientTls, Endpoint } from '../etcd/contract.js';
import { advertised, wireOf } from './advertise.js';
import { KeyValue, type KeyValueCluster } from './cluster.js';

const tlsOf = ({ tls }: ClusterConfig): { readonly tls?: ClientTls } => {
  if (!tls) return {};
  const { ca, cert, key } = tls;
  const text = (path: string): string => readFileSync(path, 'utf8');
  return {
    tls: {
      ...(ca === undefined ? {} : { trust: text(ca) }),
      ...(cert === undefined ? {} : { certificate: text(cert) }),
      ...(key === undefined ? {} : { key: text(key) }),
    },
  };
};

const clientOf = (config: ClusterConfig) => {
  const [first, ...more] = config.endpoints.map(({ host, port }): Endpoint => ({ kind: 'tcp', host, port }));
  if (!first) throw new TypeError('a store has an endpoint'); // checked with the settings
  return createEtcdClient({ endpoints: [first, ...more], ...tlsOf(config) });
};

export type OwnHost = Required<Pick<Vtep, 'id' | 'tunnel'>>;

/** Throws invalid where this host has not the address that it is to be reached by. */
export const openKeyValue = (config: ClusterConfig, host: OwnHost, log: Logger): KeyValueCluster => {
  const place = advertised(config);
  const etcd = clientOf(config);
  const self = { ...host, name: hostname(), address: place.address };
  const cluster = new KeyValue(config, { etcd, self, wire: () => wireOf(place), log });
  return {
    store: cluster.store,
    start: (side) => cluster.start(side),
    async close() {
      await cluster.close();
      etcd.close();
    },
  };
};

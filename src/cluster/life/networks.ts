/** Networks of the cluster, as a manager is asked for them: what is wished is read by the driver, and decided from the mirror's records. */
import type { OverlayWish, Wire } from '../../drivers/contract.js';
import type { NetworkCreateRequest } from '../../engine/contract.js';
import { forbidden, invalid, notImplemented } from '../../errors.js';
import { type Network, PREDEFINED_NETWORKS } from '../../model/network.js';
import { sealedPort } from '../../model/tunnel.js';
import type { Manager } from '../contract.js';
import { createNetwork, isBeingLeft, type NetworkWish, removeNetwork } from '../control/commands/networks.js';
import type { CommandView } from '../control/commands/view.js';
import type { Unit } from '../control/draft.js';
import type { ClusterState } from '../control/state.js';
import { advertised, wireOf } from '../keyvalue/advertise.js';
import { type CommitSettings, createCommit } from './commit.js';

/** What drivers say of networks. */
export interface NetworkRules {
  /** Of a network that each node makes for itself. Throws what none of them could make; answers a warning, empty: there is none. */
  checkOfNodes(request: NetworkCreateRequest): string;
  /** Throws what cannot be; undefined: the driver's networks are on one host. */
  wish(request: NetworkCreateRequest, wire: Wire): OverlayWish | undefined;
  /** Throws where a network with all that was decided cannot be. */
  check(network: Network): void;
}

export interface NetworkSettings extends CommitSettings {
  readonly rules: NetworkRules;
  /** bare address that this host's containers' traffic comes from */
  readonly dataAddress: string;
}

const ENABLE_IPV4 = 'com.docker.network.enable_ipv4';

/** An address that is not this host's own, as behind NAT, says nothing about the wire. */
const wireAt = (address: string): Wire => {
  try {
    return wireOf(advertised({ advertise: address }));
  } catch {
    return { mtu: 0, family: address.includes(':') ? 6 : 4 };
  }
};

const wishOf = (
  request: NetworkCreateRequest,
  dataPort: number,
  { rules, dataAddress }: Pick<NetworkSettings, 'rules' | 'dataAddress'>,
): { readonly wish: NetworkWish; readonly warning: string } => {
  const { name, driver, scope, ingress, internal, attachable, configFrom, options, labels, ipam } = request;
  if ([...PREDEFINED_NETWORKS, 'default'].includes(name))
    throw forbidden(`operation is not permitted on predefined ${name} network`);
  if (scope === 'local') throw forbidden(`cannot downgrade network scope for ${driver} networks`);
  const ipv4 = request.ipv4 ?? options[ENABLE_IPV4] !== 'false';
  const ipv6 = request.ipv6 ?? false;
  if (!ipv4 && !ipv6) throw invalid('IPv4 or IPv6 must be enabled');
  const network = {
    ...{ name, driver, ipv4, ipv6, internal, attachable, configOnly: false, configFrom, options, labels },
    ...{ ipam: { ...ipam, driver: ipam.driver || 'default' }, predefined: false },
  };
  const overlay = rules.wish(request, wireAt(dataAddress));
  if (!overlay) {
    const warning = rules.checkOfNodes(request);
    return { wish: { network: { ...network, driver: driver || 'bridge' }, ingress }, warning };
  }
  if (configFrom !== '')
    throw notImplemented(
      `a network that spans nodes is not made from a configuration network: --config-from is for those that each node makes for itself, as of driver bridge or macvlan`,
    );
  if (network.ipam.driver !== 'default')
    throw notImplemented(
      `networks of a swarm have their addresses from the swarm, not from IPAM driver "${ipam.driver}"`,
    );
  const { warning, ...agreed } = overlay;
  const port = agreed.encrypted ? sealedPort(dataPort) : dataPort;
  return { wish: { network, ingress, overlay: { ...agreed, port } }, warning };
};

/** Docker's, which a swarm begins with. */
const INGRESS: NetworkCreateRequest = {
  name: 'ingress',
  driver: 'overlay',
  scope: 'swarm',
  ingress: true,
  internal: false,
  attachable: false,
  configOnly: false,
  configFrom: '',
  options: {},
  labels: {},
  ipam: { driver: 'default', options: null, config: [] },
};

/** Of a cluster that is being made, whose record is in the view. */
export const makeIngress = (
  view: CommandView,
  settings: Pick<NetworkSettings, 'rules' | 'dataAddress'>,
): Unit =>
  createNetwork(view, wishOf(INGRESS, view.state.get('cluster', '')?.dataPort ?? 0, settings).wish).unit;

/** milliseconds: so long at most, and how often it is looked */
const [LEAVING_MS, LOOK_MS] = [30_000, 100];

/** `stack rm` removes services and at once their networks, which their containers leave when they have ended. */
const untilLeft = async (state: ClusterState, id: string): Promise<void> => {
  for (let waited = 0; waited < LEAVING_MS && isBeingLeft(state, id); waited += LOOK_MS)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
};

export const createNetworks = (
  settings: NetworkSettings,
): Pick<Manager, 'networks' | 'createNetwork' | 'removeNetwork'> => {
  const { rules } = settings;
  const { state, prefix } = settings.mirror;
  const commit = createCommit(settings);

  return {
    networks: () => [...state.all('network').values()].map(({ network }) => network),
    async createNetwork(request) {
      const { wish, warning } = wishOf(request, state.get('cluster', '')?.dataPort ?? 0, settings);
      const { id, warning: routed } = await commit((view) => {
        const made = createNetwork(view, wish);
        if (made.network.overlay) rules.check(made.network);
        return made;
      });
      return { id, warning: [warning, routed].filter((text) => text !== '').join('; ') };
    },
    async removeNetwork(id) {
      await untilLeft(state, id);
      // A container may have come to it that the mirror does not show yet.
      const unused = { prefix: `${prefix}ip/${id}/`, createRevision: 0 };
      await commit((view) => ({ unit: removeNetwork(view, id), needs: [unused] }));
    },
  };
};

/** Networks coming and going, decided. Pure; how a new one is designed is in `design.ts`, the commands are in `index.ts`. */
import { forbidden } from '../../errors.js';
import type { Network } from '../../model/network.js';
import type { RemoteEndpoint } from '../../model/peer.js';
import type { NetworkUser } from '../cluster.js';
import { drop, put } from '../commit/tables.js';
import { type Decision, toldOfNetwork } from '../decision.js';
import { owedForNetwork } from '../plugins/owed-calls.js';
import type { View } from '../view.js';

/** What plugins hold for it is its own from then on. */
export const decideCreation = ({ model }: Pick<View, 'model'>, network: Network): Decision => {
  const owed = model.owed.has(network.id) ? [drop('owed', network.id)] : [];
  return {
    changes: [put('network', network), ...owed],
    events: [toldOfNetwork(network, 'create')],
  };
};

/** A network of a config-only one's, which must stay for its sake. */
const dependentOn = ({ model }: Pick<View, 'model'>, network: Network): Network | undefined =>
  network.configOnly
    ? [...model.networks.values()].find(({ configFrom }) => configFrom === network.name)
    : undefined;

/** Containers on the network, of other hosts too. */
const usersOf = ({ model }: Pick<View, 'model'>, { id }: Network): readonly RemoteEndpoint[] => [
  ...model.endpointsOfNetwork(id),
  ...model.peersOf(id).flatMap(({ endpoints }) => endpoints),
];

export const inUse = (view: Pick<View, 'model'>, network: Network): boolean =>
  usersOf(view, network).length > 0 || dependentOn(view, network) !== undefined;

export const hasEndpoints = ({ name }: Pick<Network, 'name'>, users: readonly NetworkUser[]): Error => {
  const list = users.map((e) => `name:"${e.containerName}" id:"${e.id.slice(0, 12)}"`).join(', ');
  return forbidden(`error while removing network: network ${name} has active endpoints (${list})`);
};

export const checkUnused = (view: Pick<View, 'model'>, network: Network): void => {
  if (network.predefined) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  const users = usersOf(view, network);
  if (users.length > 0) throw hasEndpoints(network, users);
  const dependent = dependentOn(view, network);
  if (dependent)
    throw forbidden(`configuration network "${network.name}" is in use by network "${dependent.name}"`);
};

/** What plugins hold for it is owed from the same commit on. */
export const decideRemoval = (view: Pick<View, 'model' | 'drivers'>, network: Network): Decision => {
  checkUnused(view, network);
  const owed = owedForNetwork(view, network);
  return {
    changes: [
      drop('network', network.id),
      ...view.model.balancersOf(network.id).map(({ id }) => drop('balancer', id)),
      ...(owed ? [put('owed', owed)] : []),
    ],
    events: [toldOfNetwork(network, 'destroy')],
  };
};

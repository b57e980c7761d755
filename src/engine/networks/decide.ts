/** Networks coming and going, decided. Pure; how a new one is designed is in `design.ts`, the commands are in `index.ts`. */
import { forbidden } from '../../errors.js';
import type { Network } from '../../model/network.js';
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

export const inUse = (view: Pick<View, 'model'>, network: Network): boolean =>
  view.model.endpointsOfNetwork(network.id).length > 0 || dependentOn(view, network) !== undefined;

export const checkUnused = (view: Pick<View, 'model'>, network: Network): void => {
  if (network.predefined) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  const users = view.model.endpointsOfNetwork(network.id);
  if (users.length > 0) {
    const list = users.map((e) => `name:"${e.containerName}" id:"${e.id.slice(0, 12)}"`).join(', ');
    throw forbidden(`error while removing network: network ${network.name} has active endpoints (${list})`);
  }
  const dependent = dependentOn(view, network);
  if (dependent)
    throw forbidden(`configuration network "${network.name}" is in use by network "${dependent.name}"`);
};

/** What plugins hold for it is owed from the same commit on. */
export const decideRemoval = (view: Pick<View, 'model' | 'drivers'>, network: Network): Decision => {
  checkUnused(view, network);
  const owed = owedForNetwork(view, network);
  return {
    changes: [drop('network', network.id), ...(owed ? [put('owed', owed)] : [])],
    events: [toldOfNetwork(network, 'destroy')],
  };
};

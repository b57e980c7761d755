/**
 * Addresses that a user chose for a service on one of its networks (row S9): those of its tasks, each of which has one of them, and
 * the one that stands for all. They are the service's from its beginning on, so that nobody else is given one meanwhile; a task's
 * is the task's until it has ended, and then the service's again.
 */
import { emptySpace } from '../../../ipam/space.js';
import { familyOf, formatAddress, parseAddress } from '../../../model/address.js';
import { poolHolding, withLength } from '../../../model/pool.js';
import type { Claimed, SwarmNetwork } from '../../../model/swarm/cluster.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { Service, ServiceSpec, TaskSpec } from '../../../model/swarm/service.js';
import type { Task } from '../../../model/swarm/task.js';
import { rpcError } from '../../rpc.js';
import type { Edit } from '../draft.js';
import type { ClusterState } from '../state.js';

const TASKS = 'com.viaduct.ip';
const SERVICE = 'com.viaduct.vip';
/** Options of a service's network that no container is made with. */
export const FIXED_OPTIONS: readonly string[] = [TASKS, SERVICE];

const FAMILIES = [4, 6] as const;

/** Bare and canonical; what is none as the user wrote it. */
interface Fixed {
  readonly tasks: readonly string[];
  readonly service: readonly string[];
}

const listOf = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const address = parseAddress(each);
      return address ? formatAddress(address) : each;
    });

const fixedOf = ({ networks }: TaskSpec, networkId: string): Fixed => {
  const options = networks.find(({ target }) => target === networkId)?.options ?? {};
  return { tasks: listOf(options[TASKS]), service: listOf(options[SERVICE]) };
};

/** On all its networks, with the network's id in front. */
export const fixedIds = ({ task }: ServiceSpec): readonly string[] =>
  task.networks.flatMap(({ target }) => {
    const { tasks, service } = fixedOf(task, target);
    return [...tasks, ...service].map((address) => `${target}/${address}`);
  });

const refuse = (text: string): never => {
  throw rpcError('InvalidArgument', text);
};

/** Does neither the service have it, nor a task of its, nor nobody? `id`: the network's, and the bare address. */
export const isOthers = (state: ClusterState, id: string, serviceId: string): boolean => {
  const owner = state.get('ip', id)?.owner;
  if (owner === undefined || owner === keyOf('service', serviceId)) return false;
  const [kind = '', task = ''] = owner.split('/', 2);
  return kind !== 'task' || state.get('task', task)?.serviceId !== serviceId;
};

const checkAddress = (state: ClusterState, swarm: SwarmNetwork, address: string, self: string): void => {
  const { name, pools } = swarm.network;
  if (!parseAddress(address)) refuse(`invalid address "${address.slice(0, 64)}" for network ${name}`);
  if (!poolHolding(swarm.network, address)) refuse(`address ${address} is in no subnet of network ${name}`);
  if (emptySpace(...pools).has(address)) refuse(`address ${address} of network ${name} is given to nobody`);
  if (isOthers(state, `${swarm.id}/${address}`, self))
    refuse(`address ${address} of network ${name} is in use`);
};

/** With start-first a task and its successor have one each for a while. */
const checkCount = ({ mode, update }: ServiceSpec, tasks: readonly string[]): void => {
  if (tasks.length === 0) return;
  if (mode.kind !== 'replicated') throw rpcError('InvalidArgument', `${TASKS} needs a replicated service`);
  const more = update?.order === 'start-first' ? 1 : 0;
  for (const family of FAMILIES) {
    const count = tasks.filter((address) => familyOf(address) === family).length;
    if (count > 0 && count < mode.replicas + more)
      refuse(
        `${TASKS}: ${count} IPv${family} addresses for ${mode.replicas} replicas${more ? ', of which one more runs while they are updated start-first' : ''}`,
      );
  }
};

/** Throws what cannot be. `self`: the service's id, if it is there already. */
export const checkFixed = (state: ClusterState, spec: ServiceSpec, self: string): void => {
  const ids = fixedIds(spec);
  if (new Set(ids).size < ids.length) refuse('an address is named twice');
  for (const { target } of spec.task.networks) {
    const { tasks, service } = fixedOf(spec.task, target);
    const network = state.get('network', target);
    if (!network) {
      if (tasks.length + service.length > 0) refuse(`${target} has no addresses to be chosen`);
      continue;
    }
    for (const address of [...tasks, ...service]) checkAddress(state, network, address, self);
    checkCount(spec, tasks);
    if (service.length > 0 && spec.endpoint?.mode === 'dnsrr')
      refuse(`${SERVICE}: with endpoint mode dnsrr a service has no address of its own`);
    for (const family of FAMILIES)
      if (service.filter((address) => familyOf(address) === family).length > 1)
        refuse(`${SERVICE}: more than one IPv${family} address`);
  }
};

/** With the length of its subnet. */
const onSubnet = (swarm: SwarmNetwork, address: string): readonly string[] => {
  const pool = poolHolding(swarm.network, address);
  return pool ? [withLength(address, pool)] : [];
};

/** Of each family the chosen one, with its subnet's length; none where none was chosen. */
export const fixedVips = (swarm: SwarmNetwork, { task }: ServiceSpec): readonly string[] =>
  fixedOf(task, swarm.id).service.flatMap((address) => onSubnet(swarm, address));

/**
 * Of each family for which there are any, one that no task of the service has, with its subnet's length, and what makes it the task's;
 * a text where tasks that have not ended have all.
 */
export const fixedForTask = (
  state: ClusterState,
  swarm: SwarmNetwork,
  spec: TaskSpec,
  task: Task,
): { readonly addresses: readonly string[]; readonly edits: readonly Edit[] } | string => {
  const { tasks } = fixedOf(spec, swarm.id);
  const addresses: string[] = [];
  const edits: Edit[] = [];
  for (const family of FAMILIES) {
    const all = tasks.filter((address) => familyOf(address) === family);
    const records = all.map((address) => state.get('ip', `${swarm.id}/${address}`));
    const free = records.find((record) => record?.owner === keyOf('service', task.serviceId));
    if (all.length > 0 && !free)
      return `tasks that have not ended have all ${all.length} addresses of ${TASKS} on network "${swarm.network.name}"`;
    if (!free) continue;
    addresses.push(...onSubnet(swarm, free.id.slice(swarm.id.length + 1)));
    edits.push(['ip', { ...free, owner: keyOf('task', task.id) }]);
  }
  return { addresses, edits };
};

/** What the task has of these is its service's again; of other addresses, and where the service is gone, nothing is said. */
export const givenBackTo = (service: Service, record: Claimed): Edit | undefined =>
  fixedIds(service.spec).includes(record.id)
    ? ['ip', { ...record, owner: keyOf('service', service.id) }]
    : undefined;

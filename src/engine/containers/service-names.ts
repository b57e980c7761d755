/** Services by the names that they have on a network: `web` is its address, `tasks.web` each of its tasks. Pure look-ups. */
import type { Names } from '../../dns/contract.js';
import { type Balancer, vipsOf } from '../../model/balancer.js';
import type { ReadModel } from '../commit/model.js';
import { onNetwork } from '../commit/tables.js';

type Addresses = NonNullable<ReturnType<Names['resolve']>>;

/** Seconds: tasks come and go, and who keeps their addresses for long asks one that is gone. */
const TASKS_TTL = 5;
const TASKS = 'tasks.';

const ofTasks = ({ backends }: Balancer): readonly string[] =>
  backends.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== undefined));

const named = ({ tables }: ReadModel, networkId: string, name: string): readonly Balancer[] =>
  tables.balancer.all('name', onNetwork(networkId, name.toLowerCase()));

/** What the name means as a service's, or several of them; undefined: none has it. */
export const resolveService = (model: ReadModel, networkId: string, name: string): Addresses | undefined => {
  const services = named(model, networkId, name);
  const tasksOf = name.startsWith(TASKS) ? named(model, networkId, name.slice(TASKS.length)) : [];
  const all = services.length > 0 ? services : tasksOf;
  if (all.length === 0) return undefined;
  const fixed = services.filter((service) => vipsOf(service).length > 0);
  const found = all.flatMap((each) => (fixed.includes(each) ? vipsOf(each) : ofTasks(each)));
  return {
    ipv4: found.filter((address) => !address.includes(':')),
    ipv6: found.filter((address) => address.includes(':')),
    ...(fixed.length < all.length ? { ttl: TASKS_TTL } : {}),
  };
};

/** The service that has the address. */
export const serviceAt = ({ tables }: ReadModel, networkId: string, address: string): string | undefined =>
  tables.balancer.first('address', onNetwork(networkId, address))?.names[0];

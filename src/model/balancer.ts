/**
 * A service of the cluster on one network, as the containers of this host meet it: by its names, by its address, and on the ingress
 * network by its published ports. Kept on disk, as peers are: while no manager can be reached, names and balancing stay as they were.
 */
import type { NetworkId } from './ids.js';
import type { Protocol } from './port.js';

/** A task that takes connections now. Addresses are bare; at least one. */
interface Backend {
  /** the task's id */
  readonly id: string;
  /** the node's id in the cluster */
  readonly node: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** Reached on every host of the cluster. */
interface IngressPort {
  readonly protocol: Protocol;
  /** 1–65535, nobody else's in the cluster */
  readonly publishedPort: number;
  readonly targetPort: number;
}

export interface Balancer {
  /** `balancerId` of the two below */
  readonly id: string;
  readonly networkId: NetworkId;
  readonly serviceId: string;
  /** the service's, and other names of it on this network; none of the ingress network's has a meaning there */
  readonly names: readonly string[];
  /** bare addresses that stand for all backends; neither: its names mean the backends themselves (`dnsrr`) */
  readonly vip4?: string;
  readonly vip6?: string;
  /** in whichever order they are told; a record keeps each in its place, so that little changes in the kernel */
  readonly backends: readonly Backend[];
  /**
   * bare addresses of tasks that take no new connections and have not ended: connections under way stay with them. Those to whoever
   * is neither here nor a backend any more are forgotten, so that they end and do not hang. Absent: none
   */
  readonly leaving?: readonly string[];
  /** on the ingress network only */
  readonly ports: readonly IngressPort[];
}

/** Bare addresses that stand for all its backends, of both families. */
export const vipsOf = ({ vip4, vip6 }: Pick<Balancer, 'vip4' | 'vip6'>): readonly string[] =>
  [vip4, vip6].filter((address) => address !== undefined);

/** Do all hosts answer for it, on ports of theirs? Then it is on the ingress network, whose containers do not call each other. */
export const publishes = ({ ports }: Pick<Balancer, 'ports'>): boolean => ports.length > 0;

export const balancerId = (networkId: string, serviceId: string): string => `${networkId}/${serviceId}`;

/** The same as `after`, in an order in which whoever was there `before` stays at his place where he can. */
export const inPlaces = <T extends { readonly id: string }>(
  before: readonly { readonly id: string }[],
  after: readonly T[],
): readonly T[] => {
  const there = new Map(after.map((each) => [each.id, each]));
  const places = before.slice(0, after.length).map(({ id }) => there.get(id));
  for (const each of places) if (each) there.delete(each.id);
  const others = [...there.values()];
  const filled = places.map((each) => each ?? others.shift());
  return [...filled, ...others].filter((each) => each !== undefined);
};

/**
 * How each kind of kernel object is made, changed and deleted. The table is a mapped type over the kinds: a kind without
 * an executor does not compile. Creating what is there in the same state and deleting what is gone are successes.
 */
import { EEXIST } from '../errno.js';
import { conflict, invalid, KernelError } from '../errors.js';
import type {
  ForeignObject,
  HostPortObject,
  KernelKind,
  KernelObject,
  OffloadObject,
  ResolverObject,
  RouteObject,
  SysctlObject,
} from '../plan/objects.js';
import type { Step } from '../plan/plan.js';
import type { LocalObjects } from './contract.js';
import { SystemError } from './ffi.js';
import { createLink, deleteLink, type LinkContext, replaceLink } from './links/index.js';
import { addressPresent, fdbPresent, isTakenDown, neighbourPresent, routePresent } from './look.js';
import { createNamespace, removeNamespace } from './netns.js';
import { setOffload } from './offload.js';
import type { OpenVswitch } from './ovs/index.js';
import { IPV6_FORWARDING, keepRouterAdvertisements } from './router-advertisements.js';
import { createAddress, deleteAddress } from './rtnetlink/address.js';
import {
  createFdb,
  createNeighbour,
  deleteFdb,
  deleteNeighbour,
  replaceNeighbour,
} from './rtnetlink/neighbour.js';
import { createConnectedRoute, createRoute, deleteRoute, replaceRoute } from './rtnetlink/route.js';
import type { Session } from './session.js';
import { exchangeSysctl, readSysctl, writeSysctl } from './sysctl.js';

type ObjectOf<K extends KernelKind> = Extract<KernelObject, { kind: K }>;

/** What one run of `apply` shares among its steps. */
export interface Context extends LinkContext {
  /** values that sysctls had before the plan wrote them, by object key; for its inverse */
  readonly formerValues: Map<string, string>;
}

/** Each step is one netlink message on one link; neighbouring steps of a namespace share a datagram. */
export interface MessageExecutor<T> {
  readonly by: 'message';
  create(object: T, index: number): Buffer;
  replace(object: T, index: number): Buffer;
  delete(object: T, index: number): Buffer;
  present(session: Session, object: T): boolean;
  /** a refusal that is somebody else's affair: the step is as good as taken */
  excused?(session: Session, object: T, errno: number): boolean;
  /** the error for a refused create that a user can do something about */
  explain?(object: T, errno: number): Error | undefined;
}
export interface Calls<T> {
  create(object: T, context: Context): void;
  replace(object: T, before: T, context: Context): void;
  delete(object: T, context: Context): void;
}
/** Each step is a call. */
export interface CallExecutor<T> extends Calls<T> {
  readonly by: 'call';
}
/** Each step is a call made inside the object's namespace; neighbouring steps share the visit. */
interface VisitExecutor<T> extends Calls<T> {
  readonly by: 'visit';
}
/** Neighbouring steps of the kind go together, all or nothing. */
export interface RunExecutor {
  readonly by: 'run';
  run(steps: readonly Step[]): void;
}
/** Neighbouring steps are one atomic nftables batch. */
interface BatchExecutor {
  readonly by: 'batch';
}

export type Executors = {
  readonly [K in KernelKind]: K extends 'element'
    ? BatchExecutor
    : K extends 'address' | 'route' | 'neighbour' | 'fdb'
      ? MessageExecutor<ObjectOf<K>>
      : K extends 'ovs-port' | 'ovs-flow'
        ? RunExecutor
        : K extends 'sysctl'
          ? VisitExecutor<ObjectOf<K>>
          : CallExecutor<ObjectOf<K>>;
};

/** A SystemError of a call as KernelError, named after what was tried. */
const asKernelError = (operation: string, work: () => void): void => {
  try {
    work();
  } catch (cause) {
    if (cause instanceof SystemError) throw new KernelError(cause.errno, operation, cause.message, { cause });
    throw cause;
  }
};

const local = <T extends KernelObject>(objects: LocalObjects<T>): CallExecutor<T> => ({
  by: 'call',
  create: (o) => objects.create(o),
  replace: (o, before) => {
    objects.delete(before);
    try {
      objects.create(o);
    } catch (error) {
      objects.create(before);
      throw error;
    }
  },
  delete: (o) => objects.delete(o),
});

/** `net/ipv4/conf/eth0/arp_notify`: the link it is of; empty for one of the namespace. */
const linkOfSysctl = (path: string): string => path.split('/').at(-2) ?? '';

const sysctlKey = (o: SysctlObject): string => `${o.ns} ${o.path}`;

/**
 * A sysctl cannot be absent: to delete one is to leave it, or, in an inverse, to write back what it was; one of a link
 * that the plan made goes with the link.
 */
const sysctl: VisitExecutor<SysctlObject> = {
  by: 'visit',
  create: (o, { formerValues, made }) => {
    if (o.ns === 'host' && o.path === IPV6_FORWARDING && o.value === '1') keepRouterAdvertisements();
    if (made.has(`${o.ns} ${linkOfSysctl(o.path)}`)) {
      writeSysctl(o.ns, o.path, o.value);
      return;
    }
    const former = exchangeSysctl(o.ns, o.path, o.value);
    if (former !== undefined) formerValues.set(sysctlKey(o), former);
  },
  replace: (o) => writeSysctl(o.ns, o.path, o.value),
  delete: (o, { formerValues }) => {
    const former = formerValues.get(sysctlKey(o)) ?? o.restore;
    // An interface that is gone has taken it along.
    if (former !== undefined && readSysctl(o.ns, o.path) !== undefined) writeSysctl(o.ns, o.path, former);
  },
};

/** A container with NET_ADMIN has chosen its own way out. */
const explainRoute = ({ destination, ns }: RouteObject, errno: number): Error | undefined =>
  errno === EEXIST && ns !== 'host'
    ? conflict(`failed to set gateway: file exists: the container has a route of its own to ${destination}`)
    : undefined;

/** Somebody else's interface: that it is there is all we ask. */
const foreign: CallExecutor<ForeignObject> = {
  by: 'call',
  create: (o, { session }) => {
    if (!session.link(o.ns, o.name)) throw invalid(o.missing);
  },
  replace: () => {},
  delete: () => {},
};

/** It goes with its interface; as an inverse it needs no undoing either. */
const offload: CallExecutor<OffloadObject> = {
  by: 'call',
  create: setOffload,
  replace: setOffload,
  delete: () => {},
};

export const createExecutors = (
  hostPorts: LocalObjects<HostPortObject>,
  resolvers: LocalObjects<ResolverObject>,
  ovs: OpenVswitch,
): Executors => ({
  netns: {
    by: 'call',
    create: (o) => asKernelError(`netns create ${o.path}`, () => createNamespace(o.path)),
    replace: () => {},
    delete: (o, { session }) => {
      session.leave(o.path);
      asKernelError(`netns delete ${o.path}`, () => removeNamespace(o.path));
    },
  },
  link: {
    by: 'call',
    create: (o, context) => createLink(context, o),
    replace: (o, before, context) => replaceLink(context, o, before),
    delete: (o, context) => deleteLink(context, o),
  },
  // An address has no state beside its key but the route to its subnet: to replace one is to make sure of that.
  address: {
    by: 'message',
    create: createAddress,
    replace: createConnectedRoute,
    delete: deleteAddress,
    present: addressPresent,
  },
  route: {
    by: 'message',
    create: createRoute,
    replace: replaceRoute,
    delete: deleteRoute,
    present: routePresent,
    excused: isTakenDown,
    explain: explainRoute,
  },
  neighbour: {
    by: 'message',
    create: createNeighbour,
    replace: replaceNeighbour,
    delete: deleteNeighbour,
    present: neighbourPresent,
  },
  fdb: { by: 'message', create: createFdb, replace: createFdb, delete: deleteFdb, present: fdbPresent },
  foreign,
  sysctl,
  element: { by: 'batch' },
  hostport: local(hostPorts),
  resolver: local(resolvers),
  offload,
  'ovs-bridge': {
    by: 'call',
    create: (o) => ovs.createBridge(o),
    replace: (o) => ovs.createBridge(o),
    delete: (o) => ovs.deleteBridge(o),
  },
  'ovs-port': { by: 'run', run: (steps) => ovs.runPorts(steps) },
  'ovs-flow': { by: 'run', run: (steps) => ovs.runFlows(steps) },
});

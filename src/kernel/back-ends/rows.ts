/**
 * How each kind that the kernel keeps of a namespace is made, changed, deleted and looked at. The table is a mapped type
 * over the kinds: a kind without a row does not compile.
 */
import { asKernelError, EEXIST, ENODEV, ifThere } from '../../errno.js';
import { conflict, invalid, messageOf } from '../../errors.js';
import { same } from '../../plan/equal.js';
import type {
  ForeignObject,
  KindOf,
  ObjectOf,
  OffloadObject,
  RouteObject,
  SysctlObject,
  WireguardPeerObject,
} from '../../plan/objects.js';
import { createLink, deleteLink, type LinkContext, linkPresent, replaceLink } from '../links/index.js';
import { addressPresent, fdbPresent, isTakenDown, neighbourPresent, routePresent } from '../look.js';
import { createNamespace, isNamespace, removeNamespace } from '../netns.js';
import { hasOffload, setOffload } from '../offload.js';
import { IPV6_FORWARDING, keepRouterAdvertisements } from '../router-advertisements.js';
import { createAddress, deleteAddress } from '../rtnetlink/address.js';
import { createFdb, createNeighbour, deleteFdb, deleteNeighbour } from '../rtnetlink/neighbour.js';
import { createConnectedRoute, createRoute, deleteRoute, replaceRoute } from '../rtnetlink/route.js';
import type { Session } from '../session.js';
import { exchangeSysctl, hasSysctl, readSysctl, writeSysctl } from '../sysctl.js';
import { putPeer, readDevice, removePeer } from '../wireguard.js';

/** Each step is one netlink message on one link; neighbouring steps of a namespace share a datagram. */
export interface MessageRow<T> {
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

export interface CallRow<T> {
  /** `visit`: the calls are made inside the object's namespace, and neighbouring steps share the visit */
  readonly by: 'call' | 'visit';
  create(object: T, context: LinkContext): void;
  replace(object: T, before: T, context: LinkContext): void;
  delete(object: T, context: LinkContext): void;
  present(session: Session, object: T): boolean;
}

type Kind = KindOf<'netlink'>;
export type NetlinkObject = ObjectOf<Kind>;
/** What is on a link. */
export type OnLink = ObjectOf<'address' | 'route' | 'neighbour' | 'fdb'>;

/** `net/ipv4/conf/eth0/arp_notify`: the link it is of; empty for one of the namespace. */
const linkOfSysctl = (path: string): string => path.split('/').at(-2) ?? '';

const sysctlKey = (o: SysctlObject): string => `${o.ns} ${o.path}`;

/**
 * A sysctl cannot be absent: to delete one is to leave it, or, in an inverse, to write back what it was; one of a link
 * that the plan made goes with the link.
 */
const sysctl: CallRow<SysctlObject> = {
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
  present: (_, o) => (o.ns === 'host' || isNamespace(o.ns)) && hasSysctl(o.ns, o.path, o.value),
};

/** A container with NET_ADMIN has chosen its own way out. */
const explainRoute = ({ destination, ns }: RouteObject, errno: number): Error | undefined =>
  errno === EEXIST && ns !== 'host'
    ? conflict(`failed to set gateway: file exists: the container has a route of its own to ${destination}`)
    : undefined;

/** Somebody else's interface: that it is there is all we ask. */
const foreign: CallRow<ForeignObject> = {
  by: 'call',
  create: (o, { session }) => {
    if (!session.link(o.ns, o.name)) throw invalid(o.missing);
  },
  replace: () => {},
  delete: () => {},
  present: (session, o) => session.link(o.ns, o.name) !== undefined,
};

/** It goes with its interface; as an inverse it needs no undoing either. */
const offload: CallRow<OffloadObject> = {
  by: 'call',
  create: setOffload,
  replace: setOffload,
  delete: () => {},
  present: (_, o) => hasOffload(o),
};

/** It is put where it shall be, whatever was there; one that goes is gone with its interface as well. */
const wireguardPeer: CallRow<WireguardPeerObject> = {
  by: 'call',
  create: putPeer,
  replace: putPeer,
  delete: (o) => void ifThere(() => removePeer(o), ENODEV),
  present: (_, o) => readDevice(o.link)?.peers.some((found) => same(found, o)) ?? false,
};

const ROWS: {
  readonly [K in Kind]: K extends OnLink['kind'] ? MessageRow<ObjectOf<K>> : CallRow<ObjectOf<K>>;
} = {
  netns: {
    by: 'call',
    create: (o) => asKernelError(`netns create ${o.path}`, () => createNamespace(o.path), messageOf),
    replace: () => {},
    delete: (o, { session }) => {
      session.leave(o.path);
      asKernelError(`netns delete ${o.path}`, () => removeNamespace(o.path), messageOf);
    },
    present: (_, o) => isNamespace(o.path),
  },
  link: {
    by: 'call',
    create: (o, context) => createLink(context, o),
    replace: (o, before, context) => replaceLink(context, o, before),
    delete: (o, context) => deleteLink(context, o),
    present: linkPresent,
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
    replace: createNeighbour,
    delete: deleteNeighbour,
    present: neighbourPresent,
  },
  fdb: { by: 'message', create: createFdb, replace: createFdb, delete: deleteFdb, present: fdbPresent },
  wireguardPeer,
  foreign,
  sysctl,
  offload,
};

/** The table pairs each kind with the row of exactly that kind. */
export const rowOf = (o: NetlinkObject): MessageRow<OnLink> | CallRow<NetlinkObject> =>
  ROWS[o.kind] as MessageRow<OnLink> | CallRow<NetlinkObject>;

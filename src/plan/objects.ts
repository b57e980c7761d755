/**
 * Kernel objects as plain data: what must exist, in one discriminated union. `objectKey` mirrors the kernel's own
 * identity of each; two objects with one key are the same object in two states. A kind is a type and a row beside it
 * (`kinds/`); the union, and all that a plan knows of the kinds, follow from the rows.
 */
import { FASTPATH } from './kinds/fastpath.js';
import { FLOWS } from './kinds/flows.js';
import type { Kind } from './kinds/kind.js';
import { LOCAL } from './kinds/local.js';
import { MESH_PORT } from './kinds/mesh-port.js';
import { NETLINK } from './kinds/netlink.js';
import { ELEMENT } from './kinds/nftables.js';
import { OVS } from './kinds/ovs.js';
import { PUBLISHED } from './kinds/published.js';
import { SERVICES } from './kinds/services.js';
import { WAY_BACK } from './kinds/way-back.js';

export type { FastpathObject, ShortcutObject } from './kinds/fastpath.js';
export type { FlowsObject } from './kinds/flows.js';
export type { HostPortObject, ResolverObject } from './kinds/local.js';
export type { MeshPortObject } from './kinds/mesh-port.js';
export type * from './kinds/netlink.js';
export type { ElementObject } from './kinds/nftables.js';
export {
  matchText,
  type OvsBridgeObject,
  type OvsFlowObject,
  type OvsPortObject,
  type OvsTunnel,
} from './kinds/ovs.js';
export type { PublishedObject } from './kinds/published.js';
export type { ServiceAddress, ServicesObject } from './kinds/services.js';
export type { WayBackObject } from './kinds/way-back.js';
export type * from './link-objects.js';

const NFTABLES = { ...ELEMENT, ...MESH_PORT, ...PUBLISHED };

/** The kinds by who carries them out: a back end of the kernel layer each. */
const BACK_ENDS = {
  netlink: NETLINK,
  nftables: NFTABLES,
  services: SERVICES,
  wayBack: WAY_BACK,
  flows: FLOWS,
  fastpath: FASTPATH,
  local: LOCAL,
  ovs: OVS,
};
const KINDS = { ...NETLINK, ...NFTABLES, ...SERVICES, ...WAY_BACK, ...FLOWS, ...FASTPATH, ...LOCAL, ...OVS };

export type BackEndName = keyof typeof BACK_ENDS;
export type KindOf<B extends BackEndName> = keyof (typeof BACK_ENDS)[B] & KernelKind;
export type KernelKind = keyof typeof KINDS;
type ObjectIn<Row> = Row extends Kind<infer O> ? O : never;
export type KernelObject = ObjectIn<(typeof KINDS)[KernelKind]>;
export type ObjectOf<K extends KernelKind> = Extract<KernelObject, { kind: K }>;

/** Each under the name that its objects have as `kind`. */
const ROWS: { readonly [K in KernelKind]: Kind<ObjectOf<K>> } = KINDS;

/** The table pairs each kind with the row of exactly that kind. */
export const kindOf = <O extends KernelObject>(o: O): Kind<O> => ROWS[o.kind] as unknown as Kind<O>;

/** What a back end carries out. */
export const kindsOf = <B extends BackEndName>(name: B): readonly KindOf<B>[] =>
  Object.keys(BACK_ENDS[name]) as KindOf<B>[];

/** Who owns an object: the host, or a record. Slices are diffed one by one, never the world. */
export type Slice =
  | { readonly kind: 'host' }
  | { readonly kind: 'network' | 'sandbox' | 'endpoint' | 'peer' | 'vtep' | 'balancer'; readonly id: string };

export const HOST_SLICE: Slice = { kind: 'host' };

/** One text a slice, for maps and sets. */
export const sliceKey = (slice: Slice): string =>
  slice.kind === 'host' ? 'host' : `${slice.kind} ${slice.id}`;

/** Each once, in the order in which they first come. */
export const distinctSlices = (slices: readonly Slice[]): readonly Slice[] => [
  ...new Map(slices.map((slice) => [sliceKey(slice), slice])).values(),
];

/** The kernel's own identity of an object, as one text. */
export const objectKey = (o: KernelObject): string => `${o.kind} ${kindOf(o).key(o)}`;

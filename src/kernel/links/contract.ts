/** What a type of link brings to the table in `index.ts`, and what it is given to work with. */
import type { LinkObject, Netns, OvsLink } from '../../plan/objects.js';
import type { Context } from '../back-ends/contract.js';
import type { Reaper } from '../reaper.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import type { Look } from '../session.js';

/** A service beside the kernel that makes interfaces and takes them away; to raise them is ours. */
export interface LinkMaker {
  createLink(o: OvsLink): void;
  deleteLink(o: OvsLink): void;
}

export interface LinkContext extends Context {
  readonly reaper: Reaper;
  readonly ovs: LinkMaker;
  /** this host's private key for encrypted networks, 32 bytes */
  readonly tunnelKey: () => Buffer;
}

/** A bridge whose name does not show whose it is: `docker0`, `com.docker.network.bridge.name`, `--bridge`. */
export interface NamedBridge {
  readonly name: string;
  readonly owned: boolean;
  /** of somebody else's bridge, those that are ours, with prefix length: all else on it is its owner's */
  readonly addresses?: readonly string[];
}

/** What all links there are, and those who want them, tell of a single one. */
export interface Sight {
  /** the namespace that it is in */
  readonly ns: Netns;
  /** the name of the host's link with this index; empty: there is none */
  hostName(index: number): string;
  /** the other end of one of the host's veth pairs; undefined: it is in no namespace of ours */
  farEnd(near: DumpedLink): { readonly ns: Netns; readonly link: DumpedLink } | undefined;
  /** Has the bridge of the host's the entry for its own MAC, by which it hears? */
  hears(bridge: DumpedLink): boolean;
  named(name: string): NamedBridge | undefined;
  /** what a link of this name would be that bears no mark of ours: moved from a plugin, or made by a service */
  claimed(name: string): LinkObject | undefined;
}

/** What is read alike of most types. */
export const common = ({ name, mtu, up }: DumpedLink) => ({ kind: 'link', name, mtu, up }) as const;

interface Row<L extends LinkObject> {
  /** names on the host that are ours for this type */
  readonly names?: RegExp;
  /** The object that a link was made from; undefined: it is not of this type, or not ours. */
  recognise(found: DumpedLink, sight: Sight): L | undefined;
  /** Makes it, up or down as it says. One that is there in the same state is a success. */
  create(context: LinkContext, o: L): void;
  replace(context: LinkContext, o: L, before: L): void;
  /** A deletion where the kernel has no such link, for types that somebody beside the kernel knows of too. */
  gone?(context: LinkContext, o: L): void;
  /** `found` is of this name and of any type. */
  present(look: Look, o: L, found: DumpedLink): boolean;
  /** `present` for the host's end alone: what a container does to its own end is its own affair. Absent: `present`. */
  nearPresent?(look: Look, o: L, found: DumpedLink): boolean;
}

type Deletion<L extends LinkObject> =
  /** `found` is of this name and of any type: what is not ours stays. */
  | { delete(context: LinkContext, o: L, found: DumpedLink): void }
  /** Of a type on the host whose names nobody else gives: its number is found without waiting for the rtnl lock. */
  | { deleteAt(context: LinkContext, o: L, index: number): void };

export type LinkRow<L extends LinkObject> = Row<L> & Deletion<L>;

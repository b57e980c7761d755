/** What a type of link brings to the table in `index.ts`, and what a plan as a whole tells of its links. */
import type { LinkObject, Netns } from '../../plan/objects.js';
import type { OpenVswitch } from '../ovs/index.js';
import type { Reaper } from '../reaper.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import type { Look, Session } from '../session.js';

export interface LinkContext {
  readonly session: Session;
  readonly reaper: Reaper;
  readonly ovs: OpenVswitch;
  /** namespaces that the plan drops: their links die with them */
  readonly dropped: ReadonlySet<string>;
  /** `<namespace> <name>` of every link that the plan made, both ends of a veth */
  readonly made: Set<string>;
  /** bare addresses that the plan gives the interface */
  readonly given: (ns: Netns, name: string) => readonly string[];
}

export interface LinkRow<L extends LinkObject> {
  /** Makes it, up or down as it says. One that is there in the same state is a success. */
  create(context: LinkContext, o: L): void;
  replace(context: LinkContext, o: L, before: L): void;
  /** `found` is of this name and of any type: what is not ours stays. */
  delete(context: LinkContext, o: L, found: DumpedLink): void;
  /** A deletion where the kernel has no such link, for types that somebody beside the kernel knows of too. */
  gone?(context: LinkContext, o: L): void;
  /** `found` is of this name and of any type. */
  present(look: Look, o: L, found: DumpedLink): boolean;
  /** `present` for the host's end alone: what a container does to its own end is its own affair. Absent: `present`. */
  nearPresent?(look: Look, o: L, found: DumpedLink): boolean;
}

/** What links on top of others share: finding the parent, and saying why a kernel would not make them. */
import { EOPNOTSUPP } from '../../errno.js';
import { invalid, notImplemented } from '../../errors.js';
import type { LinkObject, LinkType } from '../../plan/objects.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import type { Session } from '../session.js';

export type OnTop = Extract<LinkObject, { parent: string }>;

/** The interface below, as it is now; throws invalid with moby's text where it is not there. */
export const parentOf = (session: Session, { parent }: OnTop): DumpedLink => {
  const found = session.link('host', parent);
  if (!found) throw invalid(`the requested parent interface ${parent} was not found on the Docker host`);
  return found;
};

const MODULE: Readonly<Partial<Record<LinkType, string>>> = { vlan: '8021q' };

/** A kernel without the type says EOPNOTSUPP (`Unknown device type`). */
export const explainRefusal = ({ type, name }: LinkObject, errno: number): Error | undefined =>
  errno === EOPNOTSUPP
    ? notImplemented(
        `the kernel has no ${type} interfaces (for ${name}): load its module (modprobe ${MODULE[type] ?? type}) or use a kernel built with it`,
      )
    : undefined;

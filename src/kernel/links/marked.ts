/** Reads links that carry our group from the kernel's answers, as the objects they were made from. */
import type { LinkObject, Netns } from '../../plan/objects.js';
import { type DumpedLink, OWN_GROUP } from '../rtnetlink/link.js';
import { ipvlanMode, macvlanMode, vlanId } from '../rtnetlink/link-types.js';

/** Names the host's links by index; empty: there is none. */
type HostName = (index: number) => string;

const hostLink = (
  { name, mtu, up, type, peer, data }: DumpedLink,
  nameOf: HostName,
): LinkObject | undefined => {
  const base = { kind: 'link', ns: 'host', name, mtu, up } as const;
  if (type === 'dummy') return { ...base, type };
  return type === 'vlan' ? { ...base, type, parent: nameOf(peer), vlan: vlanId(data) } : undefined;
};

const sandboxLink = (link: DumpedLink, ns: Netns, nameOf: HostName): LinkObject | undefined => {
  // What a container stacks on an interface of its own has its parent in the sandbox.
  if (!link.peerElsewhere) return undefined;
  const { name, mtu, up, mac, data } = link;
  const base = { kind: 'link', ns, name, mtu, up, parent: nameOf(link.peer) } as const;
  const mode = link.type === 'macvlan' ? macvlanMode(data) : undefined;
  if (mode) return { ...base, type: 'macvlan', mac, mode };
  const both = link.type === 'ipvlan' ? ipvlanMode(data) : undefined;
  return both && { ...base, type: 'ipvlan', ...both };
};

/** undefined: not ours, or of a type that is known by its name (bridges). */
export const marked = (link: DumpedLink, ns: Netns, nameOf: HostName): LinkObject | undefined => {
  if (link.group !== OWN_GROUP) return undefined;
  return ns === 'host' ? hostLink(link, nameOf) : sandboxLink(link, ns, nameOf);
};

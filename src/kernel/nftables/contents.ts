/** What our tables hold, elements of sets and maps or chains of ports alike: as messages, and as it is in the kernel. */
import { ifThere } from '../../errno.js';
import { asGuard } from '../../firewall/elements.js';
import type { HostTable } from '../../firewall/language.js';
import { setOf } from '../../firewall/ruleset.js';
import type { ElementObject } from '../../plan/objects.js';
import type { NetlinkSocket } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import { decodeElements, type ElementMessage, elementMessages, getMessage, sameElement } from './elements.js';
import { dumpSet } from './observed.js';
import { addPortMessages, deletePortMessage, dumpPorts, getPort, isPortChain } from './ports.js';

const portMessages = (change: ElementChange): ElementMessage<ElementChange>[] => {
  const { op, element } = change;
  const messages = op === 'add' ? addPortMessages(element) : [deletePortMessage(element)];
  return messages.map((message) => ({ message, changes: [change] }));
};

/** The changes in their order. */
export const changeMessages = (changes: readonly ElementChange[]): ElementMessage<ElementChange>[] => {
  const messages: ElementMessage<ElementChange>[] = [];
  let inSets: ElementChange[] = [];
  const flush = (): void => {
    messages.push(...elementMessages(inSets));
    inSets = [];
  };
  for (const change of changes) {
    if (!isPortChain(change.element)) inSets.push(change);
    else {
      flush();
      messages.push(...portMessages(change));
    }
  }
  flush();
  return messages;
};

/** Of one set, map, or map kept as chains. */
export const dumpContents = (
  socket: NetlinkSocket,
  { family, set }: Pick<ElementObject, 'family' | 'set'>,
): readonly ElementObject[] =>
  isPortChain({ family, set }) ? dumpPorts(socket, { family, set }) : dumpSet(socket, family, set);

/** All of a table but what packets taught it; marked where it is a guard. */
export const tableContents = (socket: NetlinkSocket, { family, sets, ports }: HostTable): ElementObject[] =>
  [
    ...sets.flatMap(({ learned, name }) => (learned ? [] : [name])),
    ...(ports === undefined ? [] : [ports.name]),
  ]
    .flatMap((set) => dumpContents(socket, { family, set }))
    .map(asGuard);

const find = (socket: NetlinkSocket, element: ElementObject): readonly ElementObject[] => {
  const { family, set } = element;
  if (isPortChain(element)) return getPort(socket, element);
  if (setOf(family, set) === undefined) return [];
  return decodeElements(family, set, socket.request([getMessage(element)], `nftables get ${family} ${set}`));
};

/** With the same data. */
export const isThere = (socket: NetlinkSocket, element: ElementObject): boolean =>
  (ifThere(() => find(socket, element)) ?? []).some((found) => sameElement(found, element));

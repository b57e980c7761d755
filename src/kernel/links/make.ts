/** Sends the request that makes a link, and raises or lowers links. */
import { EEXIST } from '../../errno.js';
import { KernelError } from '../../errors.js';
import type { LinkObject, Netns } from '../../plan/objects.js';
import { changeLink } from '../rtnetlink/link.js';
import type { Session } from '../session.js';
import type { LinkContext } from './contract.js';

/** Names can be held by one dying link at each end, and each can die between our look and our request. */
const ATTEMPTS = 6;

export interface Making {
  readonly message: () => Buffer;
  /** what the kernel should do next in the same breath; a refusal is no reason to refuse the link */
  readonly alongside?: readonly Buffer[];
  /** Frees what else the link takes and a dying one may still have; called where the kernel says that something is taken. */
  readonly free?: () => void;
  /** the names that the link takes */
  readonly names: readonly { readonly ns: Netns; readonly name: string }[];
  /** true where a link in the wanted state, up or down, is there */
  readonly there: () => boolean;
  /** the error for a refusal that a user can do something about */
  readonly explain?: (errno: number, acknowledgement: string) => Error | undefined;
}

/** Sends a create; frees the names that dying links still hold, and takes an identical link for a success. */
export const make = (
  { session, reaper, made }: LinkContext,
  o: LinkObject,
  { message, alongside = [], free, names, there, explain }: Making,
): 'made' | 'there' => {
  const operation = `link create ${o.name}`;
  let acknowledgement = '';
  // A link of the host's that lies below is what the request is sent to: it knows its index.
  const socket = session.socket('parent' in o ? 'host' : o.ns);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [outcome] = socket.attempt([message(), ...alongside], operation);
    if (!outcome?.errno) {
      for (const { ns, name } of names) made.add(`${ns} ${name}`);
      return 'made';
    }
    acknowledgement = outcome.acknowledgement;
    if (outcome.errno !== EEXIST)
      throw (
        explain?.(outcome.errno, acknowledgement) ??
        new KernelError(outcome.errno, operation, acknowledgement)
      );
    const freed = names.filter(({ ns, name }) => reaper.evict(session, ns, name));
    if (freed.length < names.length) break;
    free?.();
  }
  if (there()) return 'there';
  throw (
    explain?.(EEXIST, acknowledgement) ??
    new KernelError(EEXIST, operation, acknowledgement || 'another link has this name')
  );
};

export const raise = (session: Session, { ns, name, up }: Pick<LinkObject, 'ns' | 'name' | 'up'>): void => {
  session.socket(ns).request([changeLink(name, { up })], `link ${up ? 'up' : 'down'} ${name}`);
};

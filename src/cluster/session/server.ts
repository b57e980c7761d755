/**
 * A manager's end of the sessions: who may say what, and who is here. What is asked for is decided by `Reception` (life/); this file
 * knows connections and times. Invariants: one session a node, the latest; a node with a session beats, or it has none.
 */
import { unavailable, type ViaductError } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { NodeIdentity } from '../ca/contract.js';
import type { Visitor } from '../door/contract.js';
import type { Assigning } from './assigning.js';
import { type Frames, frames } from './frames.js';
import {
  type Answer,
  type Asked,
  type FromManager,
  type FromNode,
  type FromStranger,
  fromNode,
  fromStranger,
  MISSED_BEATS,
  MOST_BYTES,
} from './protocol.js';

type Ask<Type, Union = FromNode | FromStranger> = Extract<Union, { readonly type: Type }>;
type Unnumbered<Type extends FromManager['type']> = Omit<Answer<Type>, 'ask' | 'type'>;

/** What a manager decides. Everything may throw ViaductError: its message is told to who asked. */
export interface Reception {
  authorities(): string;
  /** `from`: the address that it is seen at */
  join(message: Ask<'join'>, from: string): Promise<Unnumbered<'issued'>>;
  renew(peer: NodeIdentity, message: Ask<'renew'>): Promise<Unnumbered<'issued'>>;
  enrol(peer: NodeIdentity, message: Ask<'enrol'>): Promise<Unnumbered<'enrolled'>>;
  leave(peer: NodeIdentity): Promise<void>;
  /** A node of the cluster, as this manager knows. */
  knows(nodeId: string): boolean;
  /** Is it one all the same? Asks the store itself: what we do not know yet is no reason to send a node away. Throws where it is silent. */
  looksUp(nodeId: string): Promise<boolean>;
  /** Of a node with a session: it is here, and what it says of itself. Resolves when others can know. */
  here(peer: NodeIdentity, message: Ask<'hello' | 'describe'>, from: string): Promise<Unnumbered<'welcome'>>;
  /** Of a node with a session. Answers with a message but for its number. */
  asked(nodeId: string, message: Asked): Promise<object>;
  /** What has become of its tasks. */
  report(nodeId: string, message: Ask<'report'>): void;
  /** It has not been heard for so long that it has no session any more. */
  gone(nodeId: string): void;
  /** milliseconds between beats */
  heartbeat(): number;
}

interface Here {
  readonly channel: Frames;
  readonly peer: NodeIdentity;
}

export interface Sessions {
  /** A connection that the door let in. */
  visit(visitor: Visitor): void;
  /** Nodes with a session, and the role that their certificate says. */
  readonly nodes: ReadonlyMap<string, Here>;
  tell(nodeId: string, message: FromManager): void;
  tellAll(message: FromManager): void;
  /** The node is not in the cluster any more. */
  remove(nodeId: string): void;
  /** Ends all; nothing is told of it. */
  close(): void;
}

/** Connections that have shown no certificate, at one time: each may cost an answer, and has seconds to ask. */
const MOST_STRANGERS = 100;
const STRANGER_MS = 30_000;
/** What everybody else must do within: say hello, or ask. */
const SILENT_MS = 90_000;

export const createSessions = (
  reception: Reception,
  assigning: Pick<Assigning, 'begin' | 'end'>,
  log: Logger,
): Sessions => {
  const here = new Map<string, Here>();
  /** Of nodes whose session has ended, or that have not been heard since. */
  const waiting = new Map<string, NodeJS.Timeout>();
  /** Who has said hello last and has not been welcomed yet: it is here, however long it takes until others can know of it. */
  const arriving = new Map<string, Frames>();
  const open = new Set<Frames>();
  let strangers = 0;
  let closed = false;

  const end = (nodeId: string): Frames | undefined => {
    const channel = here.get(nodeId)?.channel;
    here.delete(nodeId);
    if (channel) assigning.end(nodeId, channel);
    return channel;
  };

  /** `beats`: after so many that were not heard. */
  const giveUpLater = (nodeId: string, beats = MISSED_BEATS): void => {
    clearTimeout(waiting.get(nodeId));
    const timer = setTimeout(() => {
      waiting.delete(nodeId);
      if (arriving.has(nodeId)) return giveUpLater(nodeId, beats);
      end(nodeId)?.destroy();
      reception.gone(nodeId);
    }, beats * reception.heartbeat());
    waiting.set(nodeId, timer);
  };

  const forget = (nodeId: string): void => {
    clearTimeout(waiting.get(nodeId));
    waiting.delete(nodeId);
    end(nodeId)?.end();
  };

  const refuse = (channel: Frames, ask: number | undefined, error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    if (!isTyped(error)) log.warn({ error: reason }, 'a question of a node could not be answered');
    channel.send({ type: 'refused', ...(ask === undefined ? {} : { ask }), reason: reason.slice(0, 4_000) });
  };

  const answer = (channel: Frames, ask: number, work: Promise<object>, then?: () => void): void => {
    void work.then(
      (fields) => {
        channel.send({ ask, ...fields });
        then?.();
      },
      (error: unknown) => {
        refuse(channel, ask, error);
        then?.();
      },
    );
  };

  const stranger = ({ socket, address }: Visitor): void => {
    if (strangers >= MOST_STRANGERS) {
      socket.destroy();
      return;
    }
    strangers += 1;
    let asked = false;
    const late = setTimeout(() => channel.destroy(), STRANGER_MS);
    const channel = frames(socket, {
      limit: () => MOST_BYTES.stranger,
      closed: () => {
        clearTimeout(late);
        strangers -= 1;
        open.delete(channel);
      },
      message: (raw) => {
        if (asked) {
          channel.end();
          return;
        }
        asked = true;
        const message = fromStranger.parse(raw);
        const end = (): void => channel.end();
        if (message.type === 'authorities')
          answer(
            channel,
            message.ask,
            Promise.resolve({ type: 'authorities', authorities: reception.authorities() }),
            end,
          );
        else answer(channel, message.ask, reception.join(message, address).then(typed('issued')), end);
      },
    });
    open.add(channel);
  };

  const hello = async (
    channel: Frames,
    peer: NodeIdentity,
    message: Ask<'hello'>,
    from: string,
  ): Promise<void> => {
    arriving.set(peer.nodeId, channel);
    try {
      const fields = await reception.here(peer, message, from);
      if (closed) {
        channel.end();
        return;
      }
      const former = here.get(peer.nodeId);
      here.set(peer.nodeId, { channel, peer });
      if (former && former.channel !== channel) former.channel.end();
      giveUpLater(peer.nodeId);
      channel.send({ type: 'welcome', ...fields });
      assigning.begin(peer.nodeId, channel);
    } catch (error) {
      refuse(channel, undefined, error);
      channel.end();
    } finally {
      if (arriving.get(peer.nodeId) === channel) arriving.delete(peer.nodeId);
    }
  };

  const node = ({ socket, address }: Visitor, peer: NodeIdentity): void => {
    const { nodeId } = peer;
    const isHere = (): boolean => here.get(nodeId)?.channel === channel;
    const silent = setTimeout(() => {
      if (!isHere()) channel.end();
    }, SILENT_MS);
    const lookUp = (message: FromNode): void =>
      void reception
        .looksUp(nodeId)
        .then((known) => (known ? take(message) : channel.end({ type: 'removed' })))
        .catch((error: unknown) => {
          refuse(channel, undefined, error);
          channel.end();
        });
    const take = (message: FromNode): void => {
      if (reception.knows(nodeId)) decide(message);
      else lookUp(message);
    };
    const decide = (message: FromNode): void => {
      switch (message.type) {
        case 'hello':
          void hello(channel, peer, message, address);
          break;
        case 'beat':
          if (!isHere()) break;
          giveUpLater(nodeId);
          channel.send({ type: 'beat' });
          break;
        case 'network':
        case 'attach':
        case 'detach':
        case 'attachments':
          if (isHere()) answer(channel, message.ask, reception.asked(nodeId, message));
          else refuse(channel, message.ask, unavailable('this node has no session here'));
          break;
        case 'report':
          if (isHere()) reception.report(nodeId, message);
          break;
        case 'describe':
          if (isHere())
            reception.here(peer, message, address).catch((error) => refuse(channel, undefined, error));
          break;
        case 'renew':
          answer(channel, message.ask, reception.renew(peer, message).then(typed('issued')));
          break;
        case 'enrol':
          answer(channel, message.ask, reception.enrol(peer, message).then(typed('enrolled')));
          break;
        case 'leave':
          answer(
            channel,
            message.ask,
            reception.leave(peer).then(() => ({ type: 'done' })),
            () => forget(nodeId),
          );
          break;
      }
    };
    const channel = frames(socket, {
      limit: () => MOST_BYTES.node,
      message: (raw) => take(fromNode.parse(raw)),
      closed: (reason) => {
        clearTimeout(silent);
        open.delete(channel);
        // It comes back at once where its daemon was started anew, or has found another manager.
        if (isHere()) giveUpLater(nodeId, 1);
        assigning.end(nodeId, channel);
        if (reason !== '') log.debug({ node: nodeId, reason }, 'a connection of a node broke');
      },
    });
    open.add(channel);
  };

  return {
    visit(visitor) {
      if (closed) visitor.socket.destroy();
      else if (visitor.peer) node(visitor, visitor.peer);
      else stranger(visitor);
    },
    nodes: here,
    tell: (nodeId, message) => here.get(nodeId)?.channel.send(message),
    tellAll(message) {
      for (const { channel } of here.values()) channel.send(message);
    },
    remove(nodeId) {
      here.get(nodeId)?.channel.send({ type: 'removed' });
      forget(nodeId);
      reception.gone(nodeId);
    },
    close() {
      closed = true;
      for (const timer of waiting.values()) clearTimeout(timer);
      waiting.clear();
      here.clear();
      for (const channel of [...open]) channel.destroy();
    },
  };
};

const typed =
  (type: FromManager['type']) =>
  (fields: object): object => ({ type, ...fields });

/** A refusal that was meant, not a fault. */
const isTyped = (error: unknown): error is ViaductError =>
  error instanceof Error && error.name === 'ViaductError' && (error as ViaductError).kind !== 'internal';

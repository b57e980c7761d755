/**
 * A manager's end of the sessions with nodes: takes connections, and what nodes say on them. What is asked for is decided by `Reception`
 * (life/), who is here by `presence.ts`.
 */
import { invalid, unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { NodeIdentity } from '../ca/contract.js';
import type { Visitor } from '../door/contract.js';
import { createAnswers, done, typed } from './answers.js';
import type { Assigning } from './assigning.js';
import type { Ask, Reception } from './contract.js';
import { type Frames, frames } from './frames.js';
import { type Here, Presence } from './presence.js';
import { type FromManager, type FromNode, fromNode, MOST_BYTES } from './protocol.js';
import { createStrangers } from './strangers.js';

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

/** milliseconds within which a node must say hello, or ask */
const SILENT_MS = 90_000;

export const createSessions = (
  reception: Reception,
  assigning: Pick<Assigning, 'begin' | 'end'>,
  log: Logger,
): Sessions => {
  const open = new Set<Frames>();
  const { refuse, answer } = createAnswers(log);
  const stranger = createStrangers(reception, { answer }, open);
  const presence = new Presence(reception, assigning);
  let closed = false;

  const hello = async (
    channel: Frames,
    peer: NodeIdentity,
    message: Ask<'hello'>,
    from: string,
  ): Promise<void> => {
    try {
      const fields = await reception.here(peer, message, from);
      if (closed) channel.end();
      else presence.begin(channel, peer, { type: 'welcome', ...fields });
    } catch (error) {
      refuse(channel, undefined, error);
      channel.end();
    }
  };

  const node = ({ socket, address }: Visitor, peer: NodeIdentity): void => {
    const { nodeId } = peer;
    const isHere = (): boolean => presence.isHere(nodeId, channel);
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
    /** From the answer on it is no connection of messages any more. */
    const hand = ({ ask, stream }: Ask<'stream'>): void => {
      try {
        if (isHere()) throw invalid('logs have a connection of their own');
        const take = reception.taker(nodeId, stream);
        clearTimeout(silent);
        channel.send({ type: 'done', ask });
        channel.release();
        take(socket);
      } catch (error) {
        refuse(channel, ask, error);
        channel.end();
      }
    };
    const decide = (message: FromNode): void => {
      switch (message.type) {
        case 'hello':
          void presence.arrive(nodeId, channel, () => hello(channel, peer, message, address));
          break;
        case 'beat':
          if (!isHere()) break;
          presence.giveUpLater(nodeId);
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
        case 'summon':
          answer(
            channel,
            message.ask,
            done(() => reception.summon(peer, message)),
          );
          break;
        case 'stream':
          hand(message);
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
            done(() => reception.leave(peer)),
            () => presence.forget(nodeId),
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
        presence.broke(nodeId, channel);
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
    nodes: presence.nodes,
    tell: (nodeId, message) => presence.nodes.get(nodeId)?.channel.send(message),
    tellAll(message) {
      for (const { channel } of presence.nodes.values()) channel.send(message);
    },
    remove(nodeId) {
      presence.nodes.get(nodeId)?.channel.send({ type: 'removed' });
      presence.forget(nodeId);
      reception.gone(nodeId);
    },
    close() {
      closed = true;
      presence.close();
      for (const channel of [...open]) channel.destroy();
    },
  };
};

/** Which managers answer while the cluster's store does not: the mirror, which else says it, is old then. */
import { connect } from 'node:net';
import type { Mirror } from '../mirror/index.js';
import { noQuorum } from '../words.js';
import { splitPlace } from './addresses.js';

/** milliseconds: a manager that does not take a connection within it does not answer */
const REACH_MS = 700;

export interface Reach {
  /** Asks all: how many answer now, this one among them, and how many there are. */
  ask(): Promise<{ readonly reachable: number; readonly all: number }>;
  /** Those that answered when they were last asked, by their nodes' ids; undefined: the store answers, so the mirror says it. */
  answering(): ReadonlySet<string> | undefined;
  /** what is to be said where the store does not answer; empty: it does */
  silent(): string;
  /** The store answers again. */
  forget(): void;
}

const answers = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const place = splitPlace(address);
    if (!place) {
      resolve(false);
      return;
    }
    const socket = connect({ host: place.host, port: Number(place.port) });
    const end = (yes: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(yes);
    };
    const timer = setTimeout(end(false), REACH_MS);
    socket.once('connect', end(true)).on('error', end(false));
  });

export const createReach = (mirror: Pick<Mirror, 'members' | 'silentSince'>, nodeId: string): Reach => {
  let answered: ReadonlySet<string> | undefined;
  return {
    async ask() {
      const all = [...mirror.members];
      const found = await Promise.all(
        all.map(async ([id, { address }]) => (id === nodeId || (await answers(address)) ? [id] : [])),
      );
      const reachable = new Set(found.flat());
      answered = mirror.silentSince === undefined ? undefined : reachable;
      return { reachable: reachable.size, all: all.length };
    },
    answering: () => (mirror.silentSince === undefined ? undefined : (answered ?? new Set([nodeId]))),
    silent: () =>
      mirror.silentSince === undefined
        ? ''
        : noQuorum({ reachable: answered?.size ?? 1, all: mirror.members.size }),
    forget() {
      answered = undefined;
    },
  };
};

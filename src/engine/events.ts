/**
 * The event bus: what happened, in order, to whoever listens. Invariants: times only grow; a listener that throws or
 * subscribes during a delivery disturbs nobody else; the last `capacity` events are kept for those who come late.
 */
import type { EngineEvent } from '../model/events.js';
import { createClock } from './clock.js';
import type { Engine } from './contract.js';

export type Events = Engine['events'];
type Listener = (event: EngineEvent) => void;

/** dockerd keeps 256; more lets `docker events --since` reach further back. */
const CAPACITY = 1_000;

export interface EventsOptions {
  readonly clock?: () => bigint;
  readonly capacity?: number;
  /** told of a listener that threw */
  readonly onListenerError?: (error: unknown) => void;
}

export const createEvents = ({
  clock = createClock(),
  capacity = CAPACITY,
  onListenerError = () => {},
}: EventsOptions = {}): Events => {
  const kept: EngineEvent[] = [];
  const listeners = new Set<Listener>();

  const deliver = (listener: Listener, event: EngineEvent): void => {
    try {
      listener(event);
    } catch (error) {
      onListenerError(error);
    }
  };

  return {
    publish: (event) => {
      const stamped: EngineEvent = { ...event, timeNano: clock() };
      kept.push(stamped);
      // Cut in blocks: shifting one out of a thousand at each event would move the other 999.
      if (kept.length >= 2 * capacity) kept.splice(0, kept.length - capacity);
      for (const listener of [...listeners]) if (listeners.has(listener)) deliver(listener, stamped);
    },
    subscribe: (listener) => {
      // One subscription, one identity: the same function may be subscribed twice.
      const own: Listener = (event) => listener(event);
      for (const event of kept.slice(-capacity)) deliver(own, event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    past: () => kept.slice(-capacity),
  };
};

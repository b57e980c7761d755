/** What others ask about a container's state, and how its events are published. */
import type { Container } from '../../model/container.js';
import { toldOfContainer } from '../decision.js';
import type { Writing } from '../parts.js';

export const containerEvent = (
  { events }: Pick<Writing, 'events'>,
  container: Container,
  action: string,
  attributes?: Readonly<Record<string, string>>,
): void => events.publish(toldOfContainer(container, action, attributes));

export const isRunning = (container: Container): boolean =>
  container.state.status === 'running' || container.state.status === 'paused';

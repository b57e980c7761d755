/** What others ask about a container's state, and how its events are published. */
import type { Container } from '../../model/container.js';
import type { Parts } from '../parts.js';

/** Time of what has not happened. */
export const NEVER = '0001-01-01T00:00:00Z';

export const containerEvent = (
  parts: Parts,
  container: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): void =>
  parts.events.publish({
    type: 'container',
    action,
    actor: {
      id: container.id,
      attributes: {
        ...container.config.Labels,
        image: container.imageName,
        name: container.name,
        ...attributes,
      },
    },
  });

export const isRunning = (container: Container): boolean =>
  container.state.status === 'running' || container.state.status === 'paused';

/** In which order containers come back with the daemon: after what they stand on. Pure. */
import { type Container, joinedContainer } from '../../model/container.js';
import { parseLink } from '../attach/links.js';

/** Containers whose network, pid or ipc namespace it shares, or that it links to, as written. */
const standsOn = ({ hostConfig, links }: Container): readonly string[] => [
  ...[hostConfig.NetworkMode, hostConfig.PidMode, hostConfig.IpcMode].flatMap(
    (mode) => joinedContainer(mode) ?? [],
  ),
  ...(links?.map(({ target }) => target) ?? (hostConfig.Links ?? []).map((link) => parseLink(link).source)),
];

export interface Turn {
  readonly container: Container;
  /** ids of those that come before it; all of them have earlier turns */
  readonly after: readonly string[];
}

/** Where some stand on each other in a circle (links may, after renames), one of them goes first. */
export const inOrder = (
  containers: readonly Container[],
  find: (reference: string) => Container | undefined,
): readonly Turn[] => {
  const waiting = new Map(containers.map((container) => [container.id as string, container]));
  const turns = new Map<string, Turn>();
  const take = (container: Container): void => {
    waiting.delete(container.id);
    const below = standsOn(container).flatMap((reference) => find(reference)?.id ?? []);
    for (const id of below) {
      const other = waiting.get(id);
      if (other) take(other);
    }
    turns.set(container.id, { container, after: [...new Set(below)].filter((id) => turns.has(id)) });
  };
  for (const container of containers) if (waiting.has(container.id)) take(container);
  return [...turns.values()];
};

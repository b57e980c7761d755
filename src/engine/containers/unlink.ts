/** `docker rm --link client/alias`: the link goes, with what it opened; both containers go on. */
import { conflict } from '../../errors.js';
import type { Container } from '../../model/container.js';
import { linkTargets } from '../attach/attaching.js';
import { linkedPorts, withoutLink } from '../attach/links.js';
import type { Change } from '../commit/tables.js';
import type { Parts } from '../parts.js';
import { etcUnlinked } from './etc.js';

/** Throws not-found where there is no such link, conflict for a container's own name. */
export const linkNamed = (
  parts: Parts,
  reference: string,
): { readonly parent: Container; readonly alias: string } => {
  parts.model.getContainer(reference);
  const name = reference.replace(/^\//, '');
  const slash = name.lastIndexOf('/');
  if (slash < 0) throw conflict('Conflict, cannot remove the default link name of the container');
  return { parent: parts.model.getContainer(name.slice(0, slash)), alias: name.slice(slash + 1) };
};

/** What the endpoints of the container may reach by links, as it is to be from now on. */
const endpointChanges = (parts: Parts, container: Container): readonly Change[] =>
  container.endpointIds.flatMap((id): readonly Change[] => {
    const endpoint = parts.model.endpoints.get(id);
    const network = endpoint && parts.model.networks.get(endpoint.networkId);
    if (!endpoint || !network) return [];
    const linkedTo = linkedPorts(linkTargets(parts, container, network));
    return [{ table: 'endpoint', id, value: { ...endpoint, linkedTo } }];
  });

export const unlink = (parts: Parts, container: Container, alias: string): void => {
  const without = withoutLink(container, alias);
  parts.ledger.commit([
    ...endpointChanges(parts, without),
    { table: 'container', id: container.id, value: without },
  ]);
  if (container.sandboxId !== null) etcUnlinked(parts, container, alias);
};

/** What of a container changes while it lives, besides its networks: its name, its links. Decided; pure. */
import type { Container } from '../../model/container.js';
import { linkedPorts, withoutLink } from '../attach/links.js';
import { linkTargets } from '../attach/standing.js';
import { put } from '../commit/tables.js';
import { type Decision, toldOfContainer } from '../decision.js';
import type { View } from '../view.js';

export const decideRename = ({ model }: View, container: Container, name: string): Decision => {
  const endpoints = container.endpointIds.flatMap((id) => {
    const e = model.endpoints.get(id);
    if (!e) return [];
    const dnsNames = e.dnsNames.map((n) => (n === container.name ? name : n));
    return [put('endpoint', { ...e, containerName: name, dnsNames })];
  });
  const renamed = { ...container, name };
  return {
    changes: [...endpoints, put('container', renamed)],
    events: [toldOfContainer(renamed, 'rename', { oldName: `/${container.name}` })],
  };
};

/** One of its links goes, with what it opened; both containers go on. */
export const decideUnlinking = (view: View, container: Container, alias: string): Decision => {
  const without = withoutLink(container, alias);
  const endpoints = container.endpointIds.flatMap((id) => {
    const endpoint = view.model.endpoints.get(id);
    const network = endpoint && view.model.networks.get(endpoint.networkId);
    if (!endpoint || !network) return [];
    const linkedTo = linkedPorts(linkTargets(view, without, network));
    return [put('endpoint', { ...endpoint, linkedTo })];
  });
  return {
    changes: [...endpoints, put('container', without)],
    events: [],
    etc: container.sandboxId === null ? [] : [{ what: 'unlinked', container, alias }],
  };
};

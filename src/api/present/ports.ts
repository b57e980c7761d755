/** Published and exposed ports: the model's ranges, expanded to what `inspect` and `ps` show. Pure. */
import type { Endpoint } from '../../model/endpoint.js';
import { codeOf, textAt } from '../../model/port-text.js';
import type { Answer } from '../schema/answer.js';

type HostPort = Answer<'PortBinding'>;

/** `NetworkSettings.Ports`: every exposed port, with its host addresses or null. */
export const presentPortMap = (endpoints: readonly Endpoint[]): Answer<'PortMap'> => {
  const lists = new Map<number, HostPort[] | null>();
  for (const { exposed, bindings } of endpoints) {
    for (const { port, protocol } of exposed) {
      const code = codeOf(protocol, port);
      if (!lists.has(code)) lists.set(code, null);
    }
    for (const { protocol, containerPort, hostIp, hostPort, count } of bindings) {
      const first = codeOf(protocol, containerPort);
      for (let i = 0; i < count; i += 1) {
        const entry = { HostIp: hostIp, HostPort: hostPort === 0 ? '' : String(hostPort + i) };
        const list = lists.get(first + i);
        if (list) list.push(entry);
        else lists.set(first + i, [entry]);
      }
    }
  }
  const ports: Record<string, readonly HostPort[] | null> = {};
  for (const [code, list] of lists) ports[textAt(code)] = list;
  return ports;
};

type PortSummary = Answer<'PortSummary'>;

/** `Ports` of `ps`. */
export const presentPortSummaries = (endpoints: readonly Endpoint[]): readonly PortSummary[] => {
  const summaries: PortSummary[] = [];
  const published = new Set<number>();
  for (const endpoint of endpoints) {
    for (const binding of endpoint.bindings) {
      if (binding.hostPort === 0) continue; // no port of the host: shown as one that is exposed
      for (let i = 0; i < binding.count; i += 1) {
        const port = binding.containerPort + i;
        published.add(codeOf(binding.protocol, port));
        summaries.push({
          IP: binding.hostIp,
          PrivatePort: port,
          PublicPort: binding.hostPort + i,
          Type: binding.protocol,
        });
      }
    }
  }
  const exposed = new Set<number>();
  for (const endpoint of endpoints) {
    for (const { port, protocol } of endpoint.exposed) {
      const key = codeOf(protocol, port);
      if (published.has(key) || exposed.has(key)) continue;
      exposed.add(key);
      summaries.push({ PrivatePort: port, Type: protocol });
    }
  }
  return summaries;
};

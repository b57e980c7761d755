/** Published and exposed ports: the model's ranges, expanded to what `inspect` and `ps` show. Pure. */
import type { Endpoint } from '../../model/endpoint.js';

export type PortMap = Record<string, { readonly HostIp: string; readonly HostPort: string }[] | null>;

/** `NetworkSettings.Ports`: every exposed port, with its host addresses or null. */
export function presentPortMap(endpoints: readonly Endpoint[]): PortMap {
  const ports: PortMap = {};
  for (const endpoint of endpoints) {
    for (const { port, protocol } of endpoint.exposed) ports[`${port}/${protocol}`] ??= null;
    for (const binding of endpoint.bindings) {
      for (let i = 0; i < binding.count; i += 1) {
        const key = `${binding.containerPort + i}/${binding.protocol}`;
        const entry = { HostIp: binding.hostIp, HostPort: String(binding.hostPort + i) };
        const list = ports[key];
        if (list === undefined || list === null) ports[key] = [entry];
        else list.push(entry);
      }
    }
  }
  return ports;
}

export interface PortSummary {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** `Ports` of `ps`. */
export function presentPortSummaries(endpoints: readonly Endpoint[]): readonly PortSummary[] {
  const summaries: PortSummary[] = [];
  const published = new Set<string>();
  for (const endpoint of endpoints) {
    for (const binding of endpoint.bindings) {
      for (let i = 0; i < binding.count; i += 1) {
        const port = binding.containerPort + i;
        published.add(`${port}/${binding.protocol}`);
        summaries.push({
          IP: binding.hostIp,
          PrivatePort: port,
          PublicPort: binding.hostPort + i,
          Type: binding.protocol,
        });
      }
    }
  }
  const exposed = new Set<string>();
  for (const endpoint of endpoints) {
    for (const { port, protocol } of endpoint.exposed) {
      const key = `${port}/${protocol}`;
      if (published.has(key) || exposed.has(key)) continue;
      exposed.add(key);
      summaries.push({ PrivatePort: port, Type: protocol });
    }
  }
  return summaries;
}

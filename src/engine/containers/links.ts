/** Legacy links: what `--link db:alias` gives a container in environment and hosts file. Pure. */
import { invalid } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, LinkedPort } from '../../model/endpoint.js';
import { bare } from '../model.js';

export interface Link {
  /** the source container as the user named it */
  readonly source: string;
  readonly alias: string;
}

/** `name`, `name:alias`, and the forms `/name:/owner/alias` that old clients send back. */
export const parseLink = (text: string): Link => {
  const parts = text.split(':');
  const source = (parts[0] ?? '').replace(/^\//, '');
  const alias = (parts[1] ?? source).split('/').at(-1) ?? '';
  if (source === '' || alias === '' || parts.length > 2)
    throw invalid(`bad format for links: ${text.slice(0, 64)}`);
  return { source, alias };
};

export interface LinkTarget {
  readonly alias: string;
  readonly container: Container;
  readonly endpoint: Endpoint;
}

/** Which flows a link opens where containers may not otherwise talk (ICC off): the exposed ports of its source. */
export const linkedPorts = (targets: readonly LinkTarget[]): readonly LinkedPort[] =>
  targets.flatMap(({ endpoint }) =>
    endpoint.exposed.map((port) => ({ ...port, address: bare(endpoint.ipv4 ?? endpoint.ipv6 ?? '') })),
  );

/** Variables that describe the image or the shell rather than the service, never passed on (moby's list). */
const PRIVATE = new Set(['HOME', 'PATH']);

const portVariables = (prefix: string, address: string, { protocol, port }: LinkedPort): string[] => {
  const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  return [
    `${name}=${protocol}://${address}:${port}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT=${port}`,
    `${name}_PROTO=${protocol}`,
  ];
};

/** `DB_NAME`, `DB_PORT`, `DB_PORT_5432_TCP…`, `DB_ENV_…` for one link. */
export const linkEnvironment = (
  owner: Container,
  { alias, container, endpoint }: LinkTarget,
): readonly string[] => {
  const prefix = alias.toUpperCase().replace(/-/g, '_');
  const address = bare(endpoint.ipv4 ?? endpoint.ipv6 ?? '');
  const ports = linkedPorts([{ alias, container, endpoint }]);
  const first = ports.find((p) => p.protocol === 'tcp') ?? ports[0];
  const own = container.config.Env.filter((e) => !PRIVATE.has(e.split('=', 1)[0] ?? ''));
  return [
    ...(first ? [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`] : []),
    ...ports.flatMap((port) => portVariables(prefix, address, port)),
    `${prefix}_NAME=/${owner.name}/${alias}`,
    ...own.map((variable) => `${prefix}_ENV_${variable}`),
  ];
};

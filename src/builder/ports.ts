/** Ports as EXPOSE and images write them: `80`, `80/UDP`, `8000-8005` → keys of ExposedPorts, one a port. Pure. */
import { attempt, invalid } from '../errors.js';
import { codesOf, portRange, protocolOf, textAt } from '../model/port-text.js';

/** A host's part (`8080:80`) means nothing here, as in Docker. Throws invalid in moby's words. */
export const exposedPorts = (word: string): readonly string[] => {
  const container = word.slice(word.lastIndexOf(':') + 1);
  const [port = '', given = ''] = container.split('/', 2);
  const protocol = protocolOf(given);
  if (port === '') throw invalid(`no port specified: ${word}<empty>`);
  if (!protocol) throw invalid(`invalid proto: ${given.toLowerCase()}`);
  const range = portRange(port);
  if (!range || range[0] === 0) throw invalid(`invalid containerPort: ${port}`);
  return codesOf(protocol, range).map(textAt);
};

/** Ports of an image that somebody else made: what is no port exposes nothing, rather than making the image useless. */
export const knownPorts = (ports: Readonly<Record<string, object>>): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.keys(ports)
      .flatMap((word) => attempt(() => exposedPorts(word)) ?? [])
      .map((port) => [port, {}]),
  );

/** Ports as EXPOSE and images write them: `80`, `80/UDP`, `8000-8005` → keys of ExposedPorts, one a port. Pure. */
import { invalid } from '../errors.js';

const HIGHEST = 65_535;

const bounds = (text: string): readonly [number, number] | undefined => {
  const [, low = '', high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  return low !== '' && first >= 1 && last <= HIGHEST && first <= last ? [first, last] : undefined;
};

/** A host's part (`8080:80`) means nothing here, as in Docker. Throws invalid in moby's words. */
export const exposedPorts = (word: string): readonly string[] => {
  const container = word.slice(word.lastIndexOf(':') + 1);
  const [port = '', given = ''] = container.split('/', 2);
  const protocol = (given || 'tcp').toLowerCase();
  if (port === '') throw invalid(`no port specified: ${word}<empty>`);
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalid(`invalid proto: ${protocol}`);
  const range = bounds(port);
  if (!range) throw invalid(`invalid containerPort: ${port}`);
  const [first, last] = range;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
};

/** Ports of an image that somebody else made: what is no port exposes nothing, rather than making the image useless. */
export const knownPorts = (ports: Readonly<Record<string, object>>): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.keys(ports).flatMap((word) => {
      try {
        return exposedPorts(word).map((port): [string, object] => [port, {}]);
      } catch {
        return [];
      }
    }),
  );

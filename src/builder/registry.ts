/** Which of a client's credentials are a registry's: they are named as the client once wrote the registry. Pure. */

const HUB = 'https://index.docker.io/v1/';

const hostOf = (written: string): string => written.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';

/** `registry`: `docker.io`, `localhost:5000` */
export const credentialsFor = <T>(known: Readonly<Record<string, T>>, registry: string): T | undefined => {
  if (registry === 'docker.io' && Object.hasOwn(known, HUB)) return known[HUB];
  const wanted = registry === 'docker.io' ? 'index.docker.io' : registry;
  const exact = Object.hasOwn(known, wanted) ? known[wanted] : undefined;
  return exact ?? Object.entries(known).find(([written]) => hostOf(written) === wanted)?.[1];
};

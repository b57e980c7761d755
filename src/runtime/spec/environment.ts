/** The environment of a container's process and of its execs. */

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Later entries replace earlier ones of the same name in place; a bare `NAME` removes it, as in Docker. */
export const mergeEnvironment = (...layers: readonly (readonly string[])[]): readonly string[] => {
  const merged = new Map<string, string>();
  for (const entry of layers.flat()) {
    const equals = entry.indexOf('=');
    if (equals < 0) merged.delete(entry);
    else if (equals > 0) merged.set(entry.slice(0, equals), entry);
  }
  return [...merged.values()];
};

export const containerEnvironment = (of: {
  readonly hostname: string;
  readonly tty: boolean;
  readonly links: readonly string[];
  readonly image: readonly string[];
  readonly container: readonly string[];
}): readonly string[] =>
  mergeEnvironment(
    [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${of.hostname}`, ...(of.tty ? ['TERM=xterm'] : [])],
    of.links,
    of.image,
    of.container,
  );

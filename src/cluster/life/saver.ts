/**
 * Writes what this node knows of itself, and again where the disk does not take it: what is known goes on meanwhile, and a full disk ends
 * no session.
 */
import type { Logger } from '../../log.js';

/** milliseconds */
const AGAIN_MS = 5_000;

/** `write` may throw; the latest is what is written. */
export const createSaver = <T>(
  write: (value: T) => void,
  {
    log,
    signal,
    again = AGAIN_MS,
  }: { readonly log: Logger; readonly signal: AbortSignal; readonly again?: number },
): ((value: T) => void) => {
  let timer: NodeJS.Timeout | undefined;
  let told = false;
  const save = (value: T): void => {
    clearTimeout(timer);
    try {
      write(value);
      told = false;
    } catch (error) {
      if (!told)
        log.warn({ error: String(error) }, 'what this node is in the swarm is not written yet: again');
      told = true;
      if (!signal.aborted) timer = setTimeout(() => save(value), again).unref();
    }
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  return save;
};

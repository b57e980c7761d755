/**
 * Calls from outside, round after round, while something else is done to a lab: what must answer, and what must never.
 *
 *     const watched = watch(lab, { answer: ['http://192.0.2.1:8080/'], silent: ['http://10.0.0.5/'] });
 *     …
 *     expect(await watched.end()).toEqual({ failed: [], leaked: [] });
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './lab.js';
import { until } from './run.js';

export interface Watched {
  /** Resolves when every call has been made at least once more than by now. */
  round(): Promise<unknown>;
  /** URLs that were not answered, and such as should not have been and were: one for each time. */
  end(): Promise<{ readonly failed: readonly string[]; readonly leaked: readonly string[] }>;
}

export const watch = (
  lab: Pick<Lab, 'wire'>,
  urls: { readonly answer: readonly string[]; readonly silent: readonly string[] },
): Watched => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-watched-'));
  const [stop, log] = [join(directory, 'stop'), join(directory, 'log')];
  const calls = [
    ...urls.answer.map((url) => `curl -gs -o /dev/null --max-time 3 '${url}' || echo 'failed ${url}'`),
    ...urls.silent.map((url) => `curl -gs -o /dev/null --max-time 0.3 '${url}' && echo 'leaked ${url}'`),
  ];
  writeFileSync(log, '');
  const running = lab.wire(
    `while [ ! -e ${stop} ]; do ${calls.join('\n')}\necho round; sleep 0.05; done >${log}`,
    { timeoutMs: 300_000 },
  );
  const lines = (): readonly string[] => readFileSync(log, 'utf8').split('\n');
  const told = (word: string): readonly string[] =>
    lines().flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  const rounds = (): number => lines().filter((line) => line === 'round').length;
  const round = (): Promise<unknown> => {
    const before = rounds();
    return until('calls from outside go on', () => rounds() > before + 1, 30_000);
  };
  return {
    round,
    async end() {
      await round();
      writeFileSync(stop, '');
      await running;
      const said = { failed: told('failed'), leaked: told('leaked') };
      if (existsSync(directory)) rmSync(directory, { recursive: true });
      return said;
    },
  };
};

/** Packets as tcpdump shows them. */
import type { Shell } from './world.js';

/** The first packet of `filter` on the interface, while `provoke` is done again and again; empty: none in a minute. */
export const captured = async (
  on: Shell,
  link: string,
  filter: string,
  provoke: () => Promise<unknown>,
): Promise<string> => {
  let over = false;
  const capture = on.try(`timeout 60 tcpdump -c 1 -nn -v -e -i ${link} '${filter}' 2>/dev/null`);
  void capture.finally(() => {
    over = true;
  });
  while (!over) await provoke();
  return (await capture).stdout;
};

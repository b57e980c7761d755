/** Packets as tcpdump shows them. */
import { join } from 'node:path';
import { until } from './run.js';
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

/** Of each packet the headers, and room for all of them: what does not fit is not counted. Bytes, KiB. */
const [HEADERS, ROOM] = [128, 32_768];

/** All packets on the interface while something is done, to be counted by tcpdump's filters; `directory` takes the files. */
export const recorded = async (
  on: Shell,
  link: string,
  directory: string,
  work: () => Promise<unknown>,
): Promise<(filter: string) => Promise<number>> => {
  const [file, said] = [join(directory, 'capture'), join(directory, 'tcpdump')];
  const pid = await on(
    `setsid tcpdump --immediate-mode -s ${HEADERS} -B ${ROOM} -i ${link} -U -w ${file} >${said} 2>&1 </dev/null & echo $!`,
  );
  await until('the capture has begun', async () => (await on(`cat ${said}`)).includes('listening'));
  try {
    await work();
  } finally {
    process.kill(Number(pid), 'SIGTERM');
  }
  return async (filter) => Number(await on(`tcpdump -nn -r ${file} '${filter}' 2>/dev/null | wc -l`));
};

/** Services in tests of a swarm: what is waited for, and a health check as a service has one that is called at once. */
import type { LabHost } from './lab.js';
import { until } from './run.js';

export const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** As a manager sees it. */
export const untilRunning = (manager: LabHost, service: string, count: number): Promise<true> =>
  until(
    `${count} of ${service} run`,
    async () => {
      const states = ['ps', '--filter', 'desired-state=running', '--format', '{{.CurrentState}}', service];
      const said = lines(await manager.docker('service', ...states));
      return said.length === count && said.every((state) => state.startsWith('Running'));
    },
    30_000,
  );

/** Who says that he runs before he listens is called before he listens, as with Docker. */
export const HEALTH = [
  ...['--health-cmd', 'wget -q -O /dev/null http://127.0.0.1/', '--health-interval', '1s'],
  ...['--health-start-interval', '200ms', '--health-start-period', '10s'],
];

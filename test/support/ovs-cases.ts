/** What holds of networks on Open vSwitch whatever forwards: its own process here, the kernel's module in the VM lane. */
import { expect } from 'vitest';
import { type OvsDaemon, ovsPhrasesFor } from './ovs-daemon.js';
import { PATIENCE, until } from './run.js';

/** Seconds that a transfer goes on. */
const TRANSFER = 3;

/** What goes through from one container to another, Mbit/s. */
const rateOf = async (world: OvsDaemon, from: string, to: string): Promise<number> => {
  const { addressOf, within } = ovsPhrasesFor(world);
  const address = await addressOf(to, 'net');
  const limit = String(8 * PATIENCE);
  const said = await until(
    'iperf3',
    async () => {
      const server = within(to, 'timeout', limit, 'iperf3', '-s', '-1').catch(() => '');
      await until('the server listens', async () => /:5201 /.test(await within(to, 'ss', '-lnt')));
      const client = within(from, 'timeout', limit, 'iperf3', '-c', address, '-t', String(TRANSFER), '-J');
      const answer = await client.catch((e: unknown) => void console.log(String(e).slice(0, 900)));
      await server;
      return answer ?? undefined;
    },
    30_000,
  );
  return JSON.parse(said).end.sum_received.bits_per_second / 1e6; // iperf3's own format
};

/** A burst of half a second's worth goes through beyond the rate. */
const AT_MOST = 1 + 1 / (2 * TRANSFER) + 0.15;

/** What `cb` may send is limited, what is sent to it is not; `rate` in Mbit/s is far below what the machine can. */
export const sendingIsLimited = async (world: OvsDaemon, rate: number): Promise<void> => {
  const { d } = world;
  const { create, sleeper } = ovsPhrasesFor(world);
  await create('net');
  await sleeper('ca', '--network', 'net');
  await sleeper('cb');
  const option = `com.viaduct.ovs.ingress_rate=${rate * 1000}`;
  await d.docker('network', 'connect', '--driver-opt', option, 'net', 'cb');
  expect(await rateOf(world, 'cb', 'ca')).toBeLessThan(rate * AT_MOST);
  expect(await rateOf(world, 'ca', 'cb')).toBeGreaterThan(rate * 2);
};

/** The same of what is sent to `cc`. */
export const receivingIsShaped = async (world: OvsDaemon, rate: number): Promise<void> => {
  const { d } = world;
  const { sleeper } = ovsPhrasesFor(world);
  await sleeper('cc');
  const option = `com.viaduct.ovs.egress_rate=${rate * 1000}`;
  await d.docker('network', 'connect', '--driver-opt', option, 'net', 'cc');
  expect(await rateOf(world, 'ca', 'cc')).toBeLessThan(rate * AT_MOST);
};

/** TCP ports of a server `ca`, as `cb` finds them: by the network's list, by rules of its own, in order. */
export const portsAreAllowedOrDenied = async (world: OvsDaemon): Promise<void> => {
  const { d } = world;
  const { create, sleeper, addressOf } = ovsPhrasesFor(world);
  const acl = 'allow in tcp any 7001; deny in tcp any 7000-7007; deny out tcp any 8001';
  await create('strict', '-o', `acl=${acl}`);
  await sleeper('ca', '--network', 'strict');
  await sleeper('cb');
  await d.docker(
    'network',
    'connect',
    '--driver-opt',
    'com.viaduct.ovs.acl=allow out tcp any 8001',
    'strict',
    'cb',
  );
  await sleeper('cc', '--network', 'strict');
  const ports = ['7000', '7001', '8001', '9000'];
  for (const port of ports)
    await d.docker('exec', '-d', 'ca', 'sh', '-c', `while true; do echo ${port} | nc -l -p ${port}; done`);
  const server = await addressOf('ca', 'strict');
  const answers = async (from: string, to: string, port: string): Promise<boolean> =>
    (await d.docker.try(['exec', from, 'nc', '-w', '2', to, port])).stdout === `${port}\n`;
  /** Between two clients a server is away for a moment; what is denied has a server that its own machine reaches. */
  const finds = async (from: string, open: readonly string[]): Promise<void> => {
    for (const port of ports) {
      if (open.includes(port)) await until(`${from} reaches ${port}`, () => answers(from, server, port));
      else expect(await answers(from, server, port), `${from} to ${port}`).toBe(false);
      await until(`${port} is served`, () => answers('ca', '127.0.0.1', port));
    }
  };
  await finds('cb', ['7001', '8001', '9000']);
  await finds('cc', ['7001', '9000']);
};

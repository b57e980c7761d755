/**
 * The containers that stay, and the flows that nothing may ever let through while they do. Each flow is tried without a
 * pause by a process in the namespace it starts from; the daemon, which is killed meanwhile, has no part in it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { TestDaemon } from '../../test/support/daemon.js';
import { phrasesFor, TELL_PEER } from '../../test/support/phrases.js';
import { until } from '../../test/support/run.js';
import { HOST, OUTSIDE } from '../../test/support/world.js';

export interface Flow {
  readonly name: string;
  readonly forbidden: boolean;
  /** path of the network namespace it starts from */
  readonly from: string;
  readonly address: string;
  readonly port: number;
}

const PORT = 8080;

/** Makes networks and containers, and answers the flows between them: two allowed ones show that probing works. */
export const makeCast = async (d: TestDaemon): Promise<readonly Flow[]> => {
  const { addressOf, subnetOf, inspect } = phrasesFor(d);
  const networks = {
    open: [],
    other: [],
    inner: ['--internal'],
    apart: ['-o', 'com.docker.network.bridge.enable_icc=false'],
  };
  for (const [name, flags] of Object.entries(networks)) await d.docker('network', 'create', ...flags, name);
  const server = async (name: string, network: string, ...flags: string[]): Promise<void> => {
    const always = ['--restart', 'always', '--stop-timeout', '0'];
    await d.docker(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      network,
      ...always,
      ...flags,
      'nettools',
      ...TELL_PEER,
    );
  };
  await server('quiet', 'open');
  await server('public', 'open', '-p', `${PORT}:80`);
  await server('stranger', 'other');
  await server('caged', 'inner');
  await server('left', 'apart');
  await server('right', 'apart');
  // Floods: datagrams, questions over TCP, output that is kept short.
  const flood = (name: string, network: string, script: string): Promise<string> =>
    d.docker(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      network,
      '--cpus',
      '0.1',
      '--log-opt',
      'max-size=1m',
      'nettools',
      'sh',
      '-c',
      script,
    );
  await flood(
    'flood-udp',
    'open',
    `while :; do head -c 60000 /dev/zero | socat -u -b1400 - UDP:${OUTSIDE.ipv4}:9; done`,
  );
  await flood(
    'flood-dns',
    'open',
    'while :; do kdig +tcp +time=1 +retry=0 @127.0.0.11 nosuch.example; kdig +tcp @127.0.0.11 quiet; done',
  );
  await flood('flood-output', 'open', 'while :; do seq 1 20000; sleep 0.2; done');
  for (const name of ['quiet', 'public', 'stranger', 'caged', 'left', 'right'])
    await until(
      `${name} listens`,
      async () => (await d.docker('exec', name, 'ss', '-Hltn', 'sport = :80')) !== '',
    );
  await d.outside(`ip route add ${await subnetOf('open')} via ${HOST.ipv4}`);
  const inside = async (name: string): Promise<string> =>
    `/proc/${await inspect('{{.State.Pid}}', name)}/ns/net`;
  const quiet = { address: await addressOf('quiet', 'open'), port: 80 };
  const outside = d.world.netns.outside;
  return [
    { name: 'LAN → published port', forbidden: false, from: outside, address: HOST.ipv4, port: PORT },
    { name: 'neighbour → neighbour', forbidden: false, from: await inside('public'), ...quiet },
    { name: 'LAN → unpublished container', forbidden: true, from: outside, ...quiet },
    { name: 'other network → container', forbidden: true, from: await inside('stranger'), ...quiet },
    { name: 'internal network → other network', forbidden: true, from: await inside('caged'), ...quiet },
    {
      name: 'internal network → LAN through published port',
      forbidden: true,
      from: await inside('caged'),
      address: HOST.ipv4,
      port: PORT,
    },
    {
      name: 'ICC off → neighbour',
      forbidden: true,
      from: await inside('left'),
      address: await addressOf('right', 'apart'),
      port: 80,
    },
  ];
};

export interface Tally {
  readonly flow: Flow;
  tries: number;
  answers: number;
}

/** Tries each flow until `stop`; one line a try, `1` where it was answered. */
export const probe = (flows: readonly Flow[]): { readonly tallies: readonly Tally[]; stop(): void } => {
  const children: ChildProcess[] = [];
  const tallies = flows.map((flow): Tally => {
    const tally = { flow, tries: 0, answers: 0 };
    const script = `while :; do [ -n "$(curl -s --http0.9 --max-time 0.3 http://${flow.address}:${flow.port}/)" ] && echo 1 || echo 0; sleep 0.05; done`;
    const child = spawn('nsenter', [`--net=${flow.from}`, '--', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.on('data', (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === 0x0a) tally.tries += 1;
        if (byte === 0x31) tally.answers += 1;
      }
    });
    children.push(child);
    return tally;
  });
  return { tallies, stop: () => children.forEach((child) => void child.kill('SIGKILL')) };
};

/** S4, S7, S8, S9, S11: published ports on every node of a swarm, by the real client and by clients outside. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { tellPeerUdp } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HEALTH, lines, untilRunning as runs } from '../support/service-phrases.js';
import { WIRE } from '../support/world.js';

let lab: Lab;
let first: LabHost;

const create = (name: string, ...args: string[]): Promise<string> =>
  first.docker('service', 'create', '-d', '--name', name, '--restart-delay', '0s', ...args);

const untilRunning = (service: string, count: number): Promise<true> => runs(first, service, count);

/** Says who calls, by TCP and by UDP at the same number; a TCP connection stays for two seconds. */
const SAYS_WHO = [
  'nettools',
  'sh',
  '-c',
  [
    "socat TCP6-LISTEN:7000,ipv6only=0,fork,reuseaddr SYSTEM:'read x; echo $SOCAT_PEERADDR; sleep 2' &",
    'exec "$@"',
  ].join(' '),
  ...['sh', ...tellPeerUdp(7000)],
];

/** As socat says it. */
const SHOWN = {
  4: `[0000:0000:0000:0000:0000:ffff:c000:02fe]`,
  6: '[2001:0db8:0001:0000:0000:0000:0000:00fe]',
};

type Protocol = 'TCP' | 'UDP';
/** What the service says to who calls a node from outside; empty: nothing. Datagrams are sent three times, as one may be lost. */
const ask = (protocol: Protocol, address: string, options = ''): Promise<string> => {
  const [host, family] = address.includes(':') ? [`[${address}]`, 6] : [address, 4];
  const words = protocol === 'TCP' ? 'echo hello' : 'for i in 1 2 3; do echo hello; sleep 0.2; done';
  const call = `timeout 9 socat -t5 - ${protocol}${family}:${host}:7000${options}`;
  return lab.wire(`{ ${words}; } | ${call} 2>/dev/null | head -1 || true`);
};

const inTask = (host: LabHost, id: string, words: string): Promise<string> =>
  host.docker('exec', id, 'sh', '-c', words);

/** On all hosts. */
const containersOf = async (service: string): Promise<number> => {
  const all = lab.hosts.map(({ docker }) => docker('ps', '-q', '--filter', `name=${service}`));
  return (await Promise.all(all)).flatMap(lines).length;
};

/** Of the service's tasks on a host, without the lengths of their subnets. */
const ingressAddresses = async (host: LabHost, service: string): Promise<readonly string[]> => {
  const ids = lines(await host.docker('ps', '-q', '--filter', `name=${service}`));
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}\n{{.GlobalIPv6Address}}\n{{end}}';
  return ids.length === 0
    ? []
    : lines(await host.docker('inspect', '--format', format.replaceAll('\\n', '\n'), ...ids));
};

/** Two hundred requests a second, each a connection of its own, to the node at the address. */
const CALLS = `
  const [, , url, stop] = process.argv;
  const { get } = require('node:http');
  const said = { answered: 0, failed: {} };
  let open = 0;
  const fail = (why) => { said.failed[why] = (said.failed[why] ?? 0) + 1; };
  const call = () => {
    open += 1;
    const request = get(url, { agent: false, timeout: 5000 }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) said.answered += 1;
      else fail(answer.statusCode);
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => fail(error.code ?? error.message));
    request.on('close', () => { open -= 1; });
  };
  const timer = setInterval(() => {
    if (!require('node:fs').existsSync(stop)) return call();
    clearInterval(timer);
    const end = setInterval(() => { if (open === 0) { clearInterval(end); console.log(JSON.stringify(said)); } }, 10);
  }, 5);`;

/** What became of requests that were sent while `work` was done. */
const during = async (
  ipv4: string,
  work: () => Promise<unknown>,
): Promise<{ readonly answered: number; readonly failed: Readonly<Record<string, number>> }> => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-calls-'));
  const [script, stop] = [join(directory, 'calls.cjs'), join(directory, 'stop')];
  writeFileSync(script, CALLS);
  try {
    const said = lab.wire(`${process.execPath} ${script} http://${ipv4}:8080/ ${stop}`);
    await work();
    writeFileSync(stop, '');
    return JSON.parse(await said);
  } finally {
    rmSync(directory, { recursive: true });
  }
};

const addressesOf = ({ ipv4, ipv6 }: LabHost) => [ipv4, ipv6];

const answering = (service: string, port: number, address = first.ipv4): Promise<true> =>
  until(`${service} answers at ${address}`, async () =>
    (
      await lab.wire(`curl -s -o /dev/null -w '%{http_code}' --max-time 2 http://${address}:${port}/ || true`)
    ).includes('200'),
  );

beforeAll(async () => {
  lab = await startLab(3, {
    images: ['alpine', 'nginx', 'nettools'],
    before: async ({ host }) => {
      for (const each of ['all', 'default']) await host(`sysctl -qw net.ipv4.conf.${each}.rp_filter=1`);
    },
  });
  first = lab.host(1);
  await first.docker('swarm', 'init', '--advertise-addr', first.ipv4, '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  for (const other of lab.hosts.slice(1)) await other.docker('swarm', 'join', '--token', token, first.ipv4);
}, 120_000);

const removeServices = async (): Promise<void> => {
  const left = await first?.docker.try(['service', 'ls', '-q']);
  for (const id of lines(left?.stdout ?? '')) await first.docker.try(['service', 'rm', id]);
};
afterAll(async () => {
  await removeServices();
  await lab?.stop();
}, 60_000);

test('S4: the ingress network as it is made: every node answers, IPv6 clients too', async () => {
  await create('web', '--replicas', '2', '-p', '8080:80', '-p', '7000:7000/udp', 'nginx');
  await untilRunning('web', 2);
  for (const host of lab.hosts) {
    await answering('web', 8080, host.ipv4);
    await answering('web', 8080, `[${host.ipv6}]`);
    for (const address of ['127.0.0.1', '[::1]', host.ipv4, `[${host.ipv6}]`])
      expect(
        await host.host(`curl -s -o /dev/null -w '%{http_code}' --max-time 5 http://${address}:8080/`),
      ).toBe('200');
  }
  await first.docker('service', 'scale', '-d', 'web=0');
  await until('it refuses', async () => {
    const said = await lab.wire(`curl -sS --max-time 1 http://${first.ipv4}:8080/ 2>&1 || true`);
    return /refused|Couldn't connect/.test(said);
  });
  await removeServices();
  await until('the port is free again', async () => {
    const answers = lab.hosts.map(({ docker }) =>
      docker.try(['run', '-d', '--rm', '--name', 'own', '-p', '8080:80', 'nginx']),
    );
    const free = (await Promise.all(answers)).filter(({ code }) => code === 0).length;
    await Promise.all(lab.hosts.map(({ docker }) => docker.try(['rm', '-f', 'own'])));
    return free === lab.hosts.length;
  });
  for (const { host } of lab.hosts)
    await until('nothing of the network is left', async () => !/: (br|vx)-/.test(await host('ip -o link')));
});

describe('S8, S9: an ingress network with IPv6', () => {
  beforeAll(async () => {
    await first.host(`echo y | DOCKER_HOST=unix://${first.socket} docker network rm ingress`);
    await first.docker(
      ...['network', 'create', '-d', 'overlay', '--ingress', '--ipv6'],
      ...['--subnet', '10.77.0.0/16', '--subnet', 'fd00:77::/64', 'mesh'],
    );
    await create('who', '--replicas', '2', '-p', '7000:7000', '-p', '7000:7000/udp', ...SAYS_WHO);
    await untilRunning('who', 2);
    await until('it answers', async () => (await ask('TCP', lab.host(3).ipv4)) !== '');
  });

  /** Each task calls each node, and may be led to itself. */
  const tasksCall = async (): Promise<void> => {
    for (const host of lab.hosts)
      for (const id of lines(await host.docker('ps', '-q')))
        for (const { ipv4, ipv6 } of lab.hosts) {
          const call = (address: string) => `echo hello | socat -t2 - TCP:${address}:7000 | head -1`;
          const said = await inTask(host, id, `${call(ipv4)}; ${call(ipv4)}; ${call(`[${ipv6}]`)}`);
          expect(lines(said)).toHaveLength(3);
        }
  };

  test.each(['TCP', 'UDP'] as const)(
    'S8: the task sees the client’s own address, by %s, IPv4 and IPv6',
    async (protocol) => {
      // each of the tasks is asked, and those of other nodes
      for (const host of lab.hosts)
        for (const address of addressesOf(host))
          for (let i = 0; i < 3; i += 1)
            expect(await ask(protocol, address)).toBe(SHOWN[address.includes(':') ? 6 : 4]);
    },
  );

  /** `1`: br_netfilter shows the firewall what bridges pass. */
  const netfilter = async (way: '1' | '0'): Promise<void> => {
    const words = ['iptables', 'ip6tables'].map((each) => `net.bridge.bridge-nf-call-${each}=${way}`);
    for (const { host } of lab.hosts) await host(`sysctl -qw ${words.join(' ')}`);
  };

  /** Another each time: a server remembers those of connections that have just ended. */
  let port = 40_000;

  test('S8: one source port, three nodes, one task, at the same time', async () => {
    await first.docker('service', 'scale', '-d', 'who=1');
    await until('one is left', async () => (await containersOf('who')) === 1);
    // The other nodes hear of it a moment later; who still led to both would lead to the one half of the time.
    for (const host of lab.hosts) {
      let inTurn = 0;
      await until(`${host.name} leads to it alone`, async () => {
        inTurn = (await ask('TCP', host.ipv4)) === SHOWN[4] ? inTurn + 1 : 0;
        return inTurn === 5;
      });
    }
    for (const way of ['1', '0'] as const) {
      await netfilter(way);
      for (const family of [4, 6] as const)
        for (const protocol of ['TCP', 'UDP'] as const) {
          port += 1;
          const calls = lab.hosts.map((host) =>
            ask(protocol, family === 4 ? host.ipv4 : host.ipv6, `,bind=:${port},reuseaddr,reuseport`),
          );
          const said = await Promise.all(calls);
          expect([way, protocol, said]).toEqual([way, protocol, lab.hosts.map(() => SHOWN[family])]);
        }
    }
    await first.docker('service', 'scale', '-d', 'who=2');
    await untilRunning('who', 2);
  });

  test('S8: also where br_netfilter shows the firewall what bridges pass', async () => {
    await netfilter('1');
    try {
      for (const host of lab.hosts)
        for (const address of addressesOf(host))
          expect(await ask('TCP', address)).toBe(SHOWN[address.includes(':') ? 6 : 4]);
      await tasksCall();
    } finally {
      await netfilter('0');
    }
    await tasksCall();
  }, 120_000);

  test('S4: a container of another network, and the host itself', async () => {
    for (const host of lab.hosts) {
      await host.docker('run', '-d', '--name', 'other', 'nettools', 'sleep', 'inf');
      for (const address of ['127.0.0.1', host.ipv4, lab.host(2).ipv4])
        if (address !== '127.0.0.1')
          expect(
            await inTask(host, 'other', `echo hello | socat -t2 - TCP:${address}:7000 | head -1`),
          ).not.toBe('');
      for (const address of ['127.0.0.1', '[::1]', host.ipv4, `[${host.ipv6}]`])
        expect(await host.host(`echo hello | socat -t2 - TCP:${address}:7000 | head -1`)).not.toBe('');
      await host.docker('rm', '-f', 'other');
    }
  });

  test('S4: services do not meet on it, and reach what is outside', async () => {
    await first.docker.try(['service', 'rm', 'others']);
    await create('others', '--mode', 'global', '-p', '7001:7001', 'nettools', 'sleep', 'inf');
    await untilRunning('others', 3);
    const targets = (await Promise.all(lab.hosts.map((host) => ingressAddresses(host, 'who')))).flat();
    expect(targets).toHaveLength(4);
    for (const host of lab.hosts) {
      const [id = ''] = lines(await host.docker('ps', '-q', '--filter', 'name=others'));
      for (const address of targets) {
        const six = address.includes(':');
        const said = await inTask(
          host,
          id,
          `ping -c1 -W1 ${address} >/dev/null && echo reached; echo hello | timeout 1 socat -t1 - TCP:${six ? `[${address}]` : address}:7000; true`,
        );
        expect(said).toBe('');
      }
      await inTask(host, id, `ping -c1 -W2 ${WIRE.ipv4}`);
    }
    await first.docker('service', 'rm', 'others');
  });

  test('S4: a port that somebody else has on one node is told of there, and taken when it is free', async () => {
    const second = lab.host(2);
    await second.docker('run', '-d', '--name', 'mine', '-p', '9090:80', 'nginx');
    await create('late', '--replicas', '1', '-p', '9090:80', 'nginx');
    await untilRunning('late', 1);
    await answering('late', 9090, first.ipv4);
    await answering('late', 9090, lab.host(3).ipv4);
    const status = () => second.host(`${join(ROOT, 'bin/viaduct')} -H unix://${second.socket} status`);
    await until('it is told of', async () =>
      /ports of service \w+ on network mesh.*9090/s.test(await status()),
    );
    const { stderr, code } = await first.docker.try(['run', '--rm', '-p', '9090:80', 'nginx', 'true']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('port is already allocated');
    await second.docker('rm', '-f', 'mine');
    await answering('late', 9090, second.ipv4);
    expect(await status()).not.toContain('dirty');
    await first.docker('service', 'rm', 'late');
  });

  test('S4: what others take away comes back, and a daemon that dies changes nothing', async () => {
    const third = lab.host(3);
    for (const { host } of lab.hosts) await host('nft delete table inet viaduct 2>/dev/null || true');
    const bridge = (await third.host('ip -o link show type bridge')).match(/br-\w+/)?.[0];
    await third.host(`ip link del ${bridge}`);
    for (const host of lab.hosts)
      await until(`${host.name} answers`, async () => (await ask('TCP', host.ipv4)) === SHOWN[4]);
    for (const host of lab.hosts) await host.kill9();
    for (const host of lab.hosts) expect(await ask('TCP', host.ipv4)).toBe(SHOWN[4]);
    for (const host of lab.hosts) await host.start();
    for (const host of lab.hosts)
      for (let i = 0; i < 3; i += 1) expect(await ask('TCP', host.ipv4)).toBe(SHOWN[4]);
    await until(
      'the nodes are ready',
      async () => {
        const ready = await first.docker.try(['node', 'ls', '--format', '{{.Status}}']);
        return ready.stdout.match(/Ready/g)?.length === 3;
      },
      30_000,
    );
  });

  test('S7: a service on the hosts’ own network listens on every node', async () => {
    await create('bare', '--mode', 'global', '--network', 'host', 'nginx');
    await untilRunning('bare', 3);
    for (const { ipv4 } of lab.hosts) await answering('bare', 80, ipv4);
    await first.docker('service', 'rm', 'bare');
    // The path check has looked at the ways between the nodes by then.
    for (const { docker } of lab.hosts) expect(await docker('info')).not.toContain('comes back');
  });
});

describe('S11: nothing is dropped', () => {
  beforeAll(async () => {
    await removeServices();
    await create(
      ...['web', '--replicas', '2', '-p', '8080:80', '--stop-signal', 'SIGQUIT'],
      ...HEALTH,
      'nginx',
    );
    await untilRunning('web', 2);
    await answering('web', 8080);
  }, 60_000);

  test('while the service is updated and scaled, and a node is drained', async () => {
    const said = await during(first.ipv4, async () => {
      const update = (order: string, value: string) =>
        first.docker(
          ...['service', 'update', '--env-add', `NEW=${value}`, '--update-monitor', '1s'],
          ...['--update-order', order, 'web'],
        );
      await update('start-first', '1');
      await update('stop-first', '2');
      await first.docker('service', 'scale', 'web=10');
      await first.docker('service', 'scale', 'web=2');
      await first.docker('node', 'update', '--availability', 'drain', 'host2');
      await untilRunning('web', 2);
    });
    expect(said.failed).toEqual({});
    expect(said.answered).toBeGreaterThan(500);
  });

  test('while the only manager’s daemon is dead; a node that dies is left out', async () => {
    await first.docker('node', 'update', '--availability', 'active', 'host2');
    await first.docker('service', 'scale', 'web=6');
    const said = await during(first.ipv4, async () => {
      await first.kill9();
      await new Promise((done) => setTimeout(done, 1_000));
      await first.start();
    });
    expect(said.failed).toEqual({});
    await lab.host(3).crash();
    const dead = performance.now();
    await until(
      'a hundred requests in a row are answered',
      async () => {
        const { failed } = await during(first.ipv4, () => new Promise((done) => setTimeout(done, 500)));
        return Object.keys(failed).length === 0;
      },
      20_000,
    );
    expect(performance.now() - dead).toBeLessThan(15_000);
    await lab.host(3).start();
  });
});

/** What others break in the kernel is put back within a second, as it was; what is theirs is never touched. */
import { describe, expect, test } from 'vitest';
import { openConnection } from '../support/connection.js';
import { keeperOf, kernelState, withoutCounts } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor, TELL_PEER } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inside, addressOf } = phrasesFor(d);

const ECHO = ['socat', 'TCP-LISTEN:7,fork,reuseaddr', 'EXEC:cat'];
/** A second, and what a machine adds that has other things to do. */
const SECOND = 3_000;
/** For what the probes themselves take after it: curl, docker exec. */
const SOON = 3_000;

/** The daemon's own clock says when it had repaired what was broken at `began`. */
const repairedWithinASecond = async (began: number, said: number): Promise<void> => {
  const line = await until(
    'the repair is told of',
    () =>
      d
        .log()
        .slice(said)
        .split('\n')
        .find((l) => l.includes('repaired what was changed')),
    SOON,
  );
  expect(JSON.parse(line).time - began).toBeLessThan(SECOND);
};

/** A network with a published server and a neighbour. */
const setUp = async () => {
  const id = await d.docker('network', 'create', '--ipv6', 'net');
  const run = ['run', '-d', '--stop-timeout', '0', '--network', 'net'];
  await d.docker(...run, '--name', 'web', '-p', '8080:80', 'nettools', ...TELL_PEER);
  await d.docker(...run, '--name', 'echo', '-p', '7007:7', 'nettools', ...ECHO);
  await d.docker(...run, '--name', 'client', 'alpine', 'sleep', '600');
  await until('the server answers', published);
  const port = (await inside('web', 'cat /sys/class/net/eth0/iflink')).trim();
  const veth = await d.host(`ip -o link | awk -F': |@' '$1 == ${port} {print $2}'`);
  return { bridge: `br-${id.slice(0, 12)}`, veth };
};

const answersWithin = async (seconds: number) =>
  (await d.outside.try(`curl -s --http0.9 --max-time ${seconds} http://${HOST.ipv4}:8080/`)).stdout !== '';
/** For asking again and again: a packet that is dropped is not waited for. */
const published = () => answersWithin(0.3);
/** Once, on a machine that has other things to do: the server starts a process for each client. */
const answers = () => answersWithin(5);
const fromNeighbour = async () =>
  (await d.docker.try(['exec', 'client', 'sh', '-c', 'nc -w 1 web 80 </dev/null'])).stdout !== '';
const same = (a: readonly string[], b: readonly string[]) => a.join() === b.join();

/** Breaks something; within a second it is repaired: TCP reaches the server from outside and inside, the kernel is as it was. */
const heals = async (breaking: string): Promise<void> => {
  const before = await kernelState(d);
  const said = d.log().length;
  const broken = Number(await d.host(`${breaking} >&2 && date +%s%3N`));
  await repairedWithinASecond(broken, said);
  await until(`after "${breaking}" the server is reached`, published, SOON).catch((late: Error) => {
    throw new Error(`${late.message}; the daemon said:\n${d.log().slice(-2_000)}`);
  });
  await until('its neighbour reaches it too', fromNeighbour, SOON);
  const healed = await until('all is as before', async () => same(await kernelState(d), before), SOON).catch(
    () => false,
  );
  if (!healed) expect(await kernelState(d)).toEqual(before);
};

describe('O4 self-healing', () => {
  test('O4 a flush of all rules by somebody else changes nothing of ours, and connections go on', async () => {
    await setUp();
    const connection = await openConnection(d, HOST.ipv4, 7007);
    expect(await connection.say('before')).toBe('before');
    const ours = async () =>
      withoutCounts(await d.host('nft list table inet viaduct; nft list table bridge viaduct'));
    const before = await ours();
    await d.host('nft add table inet theirs');
    await d.host('nft flush ruleset');
    expect(await ours()).toBe(before);
    expect(await d.host('nft list tables')).not.toContain('theirs');
    expect(await connection.say('after')).toBe('after');
    connection.close();
    expect(await answers()).toBe(true);
  });

  test('O4 nobody else can take an element, a chain or a table of ours away', async () => {
    await setUp();
    for (const command of [
      'nft flush table inet viaduct',
      'nft delete table inet viaduct',
      'nft flush chain inet viaduct forward',
      'nft flush chain bridge viaduct icc_guard',
    ]) {
      const { code, stderr } = await d.host.try(command);
      expect([command, code]).toEqual([command, 1]);
      expect(stderr).toContain('Operation not permitted');
    }
    expect(await answers()).toBe(true);
  });

  test('O4 flushed while nobody was there to own them, the rules are back with the next daemon', async () => {
    await setUp();
    const before = await kernelState(d);
    await d.kill9();
    process.kill(keeperOf(d), 'SIGKILL');
    await until('the keeper is gone', () => keeperOf(d) === 0);
    await d.host('nft flush ruleset');
    expect(await d.host('nft list tables')).toBe('');
    expect(await published()).toBe(false);
    await d.start();
    expect(await kernelState(d)).toEqual(before);
    await until('the server is reached again', published);
  });

  test('O4 a deleted bridge comes back with its MAC, its addresses and its ports', async () => {
    const { bridge } = await setUp();
    await heals(`ip link del ${bridge}`);
    await heals('ip link del docker0');
  });

  test('O4 a deleted veth comes back: the container has the same MAC, addresses and routes', async () => {
    const { veth } = await setUp();
    const view = () =>
      inside(
        'web',
        'ip -o addr show dev eth0 scope global; ip link show eth0 | grep ether; ip route; ip -6 route | grep -v fe80',
      );
    const [before, address] = [(await view()).replace(/^\d+: /gm, ''), await addressOf('web', 'net')];
    await heals(`ip link del ${veth}`);
    expect((await view()).replace(/^\d+: /gm, '')).toBe(before);
    expect(await addressOf('web', 'net')).toBe(address);
  });

  test('O4 a bridge’s address, its state, its port’s state and membership', async () => {
    const { bridge, veth } = await setUp();
    const address = await d.host(`ip -4 -o addr show ${bridge} | awk '{print $4}'`);
    const address6 = await d.host(`ip -6 -o addr show ${bridge} scope global | awk '{print $4}'`);
    await heals(`ip addr del ${address} dev ${bridge}`);
    await heals(`ip addr del ${address6} dev ${bridge}`);
    await heals(`ip link set ${bridge} down`);
    await heals(`ip link set ${veth} down`);
    await heals(`ip link set ${veth} nomaster`);
    await heals(`ip addr flush dev ${bridge}`);
    await heals(`ip link set ${bridge} address 02:00:00:00:00:01`);
  });

  test('O4 K15: a bridge’s entry for its own MAC, also one that went while no daemon ran', async () => {
    const { bridge } = await setUp();
    const local = () => d.host(`bridge fdb show br ${bridge} | grep 'dev ${bridge} .*permanent'`);
    const before = await local();
    await heals(`bridge fdb flush dev ${bridge}`);
    expect(await local()).toBe(before);
    await d.kill9();
    await d.host(`bridge fdb flush dev ${bridge}`);
    expect(await published()).toBe(false);
    await d.start();
    expect(await local()).toBe(before);
    await until('the server is reached again', published);
  });

  test('O4 the routes to a network’s subnets, which the kernel made with the bridge’s addresses', async () => {
    const { bridge } = await setUp();
    const routes = () => d.host(`ip route show dev ${bridge}; ip -6 route show dev ${bridge}`);
    const before = await routes();
    const [subnet = '', subnet6 = ''] = (
      await d.docker('network', 'inspect', '-f', '{{range .IPAM.Config}}{{.Subnet}} {{end}}', 'net')
    ).split(' ');
    await heals(`ip route del ${subnet} dev ${bridge}`);
    await heals(`ip -6 route del ${subnet6} dev ${bridge}`);
    await heals(`ip route flush dev ${bridge}`);
    expect(await routes()).toBe(before);
    // beside somebody else's to the same subnets
    const [other = '', other6 = ''] = [subnet, subnet6].map((s) =>
      s.replace(/(::?|\.0\.0)\//, (_, end) => `${end === '::' ? '::' : '.200.'}99/`),
    );
    await d.host(
      `ip link add theirs type bridge && ip link set theirs up && ip addr add ${other} dev theirs && ip addr add ${other6} dev theirs nodad`,
    );
    await d.host(`ip route del ${subnet} dev ${bridge}; ip -6 route del ${subnet6} dev ${bridge}`);
    await until('both are there again', async () => (await routes()) === before);
    await d.host('ip link del theirs');
    // while no daemon looks
    await d.kill9();
    await d.host(`ip route del ${subnet} dev ${bridge}`);
    await d.start();
    expect(await routes()).toBe(before);
  });

  test('O4 a route of a VPN that comes later stays, and is told of', async () => {
    await d.docker('network', 'create', '--subnet', '10.123.0.0/16', 'net');
    const told = () => d.log().split('"subnet":"10.123.0.0/16"').length - 1;
    await d.host(`ip route add 10.123.4.0/24 via ${OUTSIDE.ipv4}`);
    await until('it is told of', () => told() === 1);
    await d.host(`ip route add 10.99.0.0/16 via ${OUTSIDE.ipv4}`);
    await d.docker('network', 'create', 'another');
    expect(await d.host('ip route show 10.123.4.0/24')).toContain(`via ${OUTSIDE.ipv4}`);
    expect(told()).toBe(1);
    await d.host('ip route del 10.123.4.0/24; ip route del 10.99.0.0/16');
  });

  test('O4 links that others make, and their tables, stay as they are', async () => {
    const { bridge } = await setUp();
    await d.host(`
      ip link add theirs type bridge && ip addr add 10.200.0.1/24 dev theirs && ip link set theirs up
      nft add table inet theirs
      nft 'add chain inet theirs input { type filter hook input priority 0 ; policy accept ; }'
      nft 'add rule inet theirs input tcp dport 2222 counter drop'
      nft 'add set inet theirs hosts { type ipv4_addr ; flags interval ; elements = { 10.0.0.0/8, 192.0.2.77 } ; }'`);
    const theirs = () => d.host('nft -a list table inet theirs; ip -4 addr show theirs');
    const before = await theirs();
    try {
      await heals(`ip link del ${bridge}`);
      await d.kill9();
      await d.start();
      await heals(`ip link del ${bridge}`);
      await d.docker('network', 'create', 'another');
      expect(await theirs()).toBe(before);
    } finally {
      await d.host('nft delete table inet theirs; ip link del theirs');
    }
  });

  test('O4 an interface with our mark that no record knows goes again; an address that somebody added to a bridge stays', async () => {
    const { bridge } = await setUp();
    await heals('ip link add veth0123456789a type veth peer name veth0123456789b');
    const theirs = () => d.host.try(`ip -4 -o addr show dev ${bridge} | grep 10.99.0.1/24`);
    await d.host(`ip addr add 10.99.0.1/24 dev ${bridge}`);
    await d.host('ip link add veth0123456789a type veth peer name mine0');
    await until('the stray is gone', async () => (await d.host.try('ip link show mine0')).code !== 0);
    expect((await theirs()).code).toBe(0);
    expect((await d.api('GET', '/viaduct/v1/dirty')).json).toEqual([]);
  });

  test('O4 many things at once', async () => {
    const { bridge } = await setUp();
    await heals(
      `for l in $(ls /sys/class/net | grep ^veth) ${bridge} docker0; do ip link del $l; done; nft flush ruleset`,
    );
  });
});

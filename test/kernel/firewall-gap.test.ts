/** Safety 3: while rules are flushed, adopted and replaced by other versions, a forbidden flow never gets through. */
import { execFileSync, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RULESET } from '../../src/firewall/index.js';
import { NETLINK, NetlinkSocket } from '../../src/kernel/netlink.js';
import { loadTable } from '../../src/kernel/nftables/load.js';
import { Lab, type LabContainer, nat } from '../support/firewall-lab.js';

const TIMES = 30;

let lab: Lab;
let stranger: string;
let hidden: LabContainer;
let open: LabContainer;

/** Pings 500 times a second until `work` is done; answers how many were sent and answered. */
const pinging = async (
  to: string,
  work: () => Promise<void>,
): Promise<{ sent: number; answered: number }> => {
  const ping = spawn('nsenter', [`--net=${stranger}`, 'ping', '-q', '-n', '-i', '0.002', '-W', '1', to]);
  let text = '';
  ping.stdout.on('data', (data) => {
    text += data;
  });
  const ended = new Promise((resolve) => ping.on('close', resolve));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await work();
  ping.kill('SIGINT');
  await ended;
  const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  return { sent: Number(sent), answered: Number(answered) };
};

/** Lets the other processes run between two changes. */
const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 15));

beforeAll(() => {
  lab = new Lab();
  stranger = lab.machine('stranger', 'wan0', ['192.0.2.1/24'], ['192.0.2.2/24']);
  const network = (bridge: string, number: number, mode: 'nat' | 'nat-unprotected') =>
    lab.network({
      bridge,
      internal: false,
      icc: true,
      families: [nat(4, `172.${number}.0.0/24`, `172.${number}.0.1`, { mode })],
      gateways: [`172.${number}.0.1/24`],
    });
  hidden = lab.container('hidden', network('br-a', 18, 'nat'), '172.18.0.2/24', '');
  open = lab.container('open', network('br-b', 19, 'nat-unprotected'), '172.19.0.2/24', '');
});
afterAll(() => lab?.close());

/** A daemon dies, leaving its socket to the kernel; the next one adopts the tables. A flush comes while each lives. */
const restarts = async (): Promise<void> => {
  for (let i = 0; i < TIMES; i++) {
    lab.nftables.close();
    await breathe();
    lab.nftables.ensure();
    execFileSync('nft', ['flush', 'ruleset']);
    await breathe();
  }
};

/** Two versions of the daemon that differ in their rules take turns. */
const upgrades = async (): Promise<void> => {
  lab.nftables.close();
  for (let i = 0; i < TIMES; i++) {
    const socket = NetlinkSocket.open(NETLINK.NETFILTER);
    for (const table of RULESET) {
      const chains = [...table.chains, { name: `version_${i % 2}`, rules: [] }];
      loadTable(socket, { ...table, chains });
    }
    socket.close();
    await breathe();
  }
  lab.nftables.ensure();
};

test('what is allowed flows all the time, so the probe would see a gap', async () => {
  const { sent, answered } = await pinging(open.v4, async () => {
    await restarts();
    await upgrades();
  });
  expect(sent).toBeGreaterThan(100);
  expect(answered).toBeGreaterThan(sent * 0.95);
});

test('restarts and flushes open nothing', async () => {
  const { sent, answered } = await pinging(hidden.v4, restarts);
  expect(sent).toBeGreaterThan(100);
  expect(answered).toBe(0);
});

test('a change of version opens nothing', async () => {
  const { sent, answered } = await pinging(hidden.v4, upgrades);
  expect(sent).toBeGreaterThan(100);
  expect(answered).toBe(0);
});

test('without the tables the probe gets through', async () => {
  lab.nftables.drop();
  const { sent, answered } = await pinging(hidden.v4, breathe);
  expect(answered).toBeGreaterThan(sent / 2);
});

/** The default bridge as flags and daemon.json say it should be. */
import { expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';

const d = daemonForThisFile({
  flags: ['--bip', '10.200.0.1/24', '--fixed-cidr', '10.200.0.64/26', '--icc=false', '--mtu', '1450'],
  config: {
    'default-address-pools': [{ base: '10.201.0.0/16', size: 24 }],
    dns: ['192.0.2.53'],
    'dns-search': ['corp.example'],
    'dns-opts': ['timeout:2'],
    labels: ['site=lab'],
  },
});
const { subnetOf, addressOf, sleeper, ping, inside } = phrasesFor(d);

test('D1 O2 --bip, --fixed-cidr, --mtu, --icc', async () => {
  for (const name of ['c1', 'c2']) await sleeper(name);
  expect(await d.host('ip -4 -o addr show docker0')).toContain('10.200.0.1/24');
  const address = await addressOf('c1');
  expect(Number(address.replace('10.200.0.', ''))).toBeGreaterThanOrEqual(64);
  expect(Number(address.replace('10.200.0.', ''))).toBeLessThan(128);
  expect(await inside('c1', 'ip -4 -o addr show eth0')).toContain(`${address}/24`);
  expect(await inside('c1', 'cat /sys/class/net/eth0/mtu')).toBe('1450');
  expect((await ping('c1', await addressOf('c2'))).code).not.toBe(0);
  expect((await ping('c1', '198.51.100.1')).code).toBe(0);
});

test('N6 O2 default-address-pools of daemon.json', async () => {
  for (const name of ['one', 'two']) await d.docker('network', 'create', name);
  const subnets = [await subnetOf('one'), await subnetOf('two')];
  for (const subnet of subnets) expect(subnet).toMatch(/^10\.201\.\d+\.0\/24$/);
  expect(new Set(subnets).size).toBe(2);
});

test('E6 O2 dns, dns-search and dns-opts of daemon.json', async () => {
  expect(await d.docker('run', '--rm', 'alpine', 'cat', '/etc/resolv.conf')).toMatch(
    /nameserver 192\.0\.2\.53[\s\S]*search corp\.example[\s\S]*options timeout:2|search corp\.example[\s\S]*nameserver 192\.0\.2\.53[\s\S]*options timeout:2/,
  );
});

test('O1 docker info shows data root and labels', async () => {
  expect(await d.docker('info', '--format', '{{.DockerRootDir}} {{json .Labels}}')).toBe(
    `${d.dataRoot} ["site=lab"]`,
  );
});

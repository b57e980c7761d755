/** Published ports of containers that are on several networks, and of networks that translate none. */
import { expect, test } from 'vitest';
import { daemonForThisFile, peerOf, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, addressOf, address6Of, gatewayOf, server } = phrasesFor(d);
const B = 'com.docker.network.bridge';
const ROUTED = ['-o', `${B}.gateway_mode_ipv4=routed`, '-o', `${B}.gateway_mode_ipv6=routed`];

const asked = async (from: typeof d.host, address: string, port: number) => {
  const host = address.includes(':') ? `[${address}]` : address;
  return (await from.try(`socat -u -T2 TCP:${host}:${port},connect-timeout=2 - 2>/dev/null`)).stdout.trim();
};
const answers = (from: typeof d.host, address: string, port: number) =>
  until(`${address}:${port} answers`, async () => (await asked(from, address, port)) !== '');
const lines = async (container: string) => (await d.docker('port', container)).split('\n').sort();

test('M10: a port is open at the address of a routed network, though another leads out', async () => {
  await d.docker('network', 'create', '--ipv6', 'nat');
  await d.docker('network', 'create', '--ipv6', ...ROUTED, 'routed');
  await server('web', '--network', 'name=nat,gw-priority=1', '--network', 'routed', '-p', '8080:80');
  await answers(d.host, '127.0.0.1', 8080);
  const routed = [await addressOf('web', 'routed'), await address6Of('web', 'routed')].map((a) => a.trim());
  const nat = [await addressOf('web', 'nat'), await address6Of('web', 'nat')].map((a) => a.trim());
  for (const [address, via] of [
    ...[routed[0], nat[0]].map((a) => [a, HOST.ipv4] as const),
    ...[routed[1], nat[1]].map((a) => [a, HOST.ipv6] as const),
  ])
    await d.outside(`ip route replace ${address} via ${via}`);
  for (const address of [HOST.ipv4, HOST.ipv6]) await answers(d.outside, address, 8080);
  for (const address of routed) await answers(d.outside, address ?? '', 80);
  for (const address of nat) expect(await asked(d.outside, address ?? '', 80)).toBe('');
  await d.docker('network', 'disconnect', 'nat', 'web');
  for (const address of routed) await answers(d.outside, address ?? '', 80);
  expect(await asked(d.host, '127.0.0.1', 8080)).toBe('');
  for (const address of [...routed, ...nat]) await d.outside(`ip route del ${address}`);
});

test('M19: a port that is not translated is shown without one of the host', async () => {
  await d.docker('network', 'create', '--ipv6', '-o', `${B}.gateway_mode_ipv6=routed`, 'half');
  await server('web', '--network', 'half', '-p', '8080:80');
  const ports = JSON.parse(await inspect('{{json .NetworkSettings.Ports}}', 'web'));
  expect(ports['80/tcp']).toEqual([
    { HostIp: '0.0.0.0', HostPort: '8080' },
    { HostIp: '::', HostPort: '' },
  ]);
});

test('C13: the host reaches a port by the address of a bridge that the container is on without publishing there', async () => {
  await d.docker('network', 'create', '--ipv6', 'neta');
  await d.docker('network', 'create', '--ipv6', 'netb');
  await server('web', '--network', 'name=neta', '--network', 'name=netb,gw-priority=1', '-p', '8083:80');
  const gateways = [await gatewayOf('neta'), await gatewayOf('netb'), '172.17.0.1'];
  const six = await inspect('{{range .IPAM.Config}}{{.Gateway}} {{end}}', 'neta', 'netb');
  for (const address of ['127.0.0.1', HOST.ipv4, HOST.ipv6, ...gateways, ...(six.match(/fd\S+/g) ?? [])])
    await answers(d.host, address, 8083);
  expect(peerOf(await asked(d.host, HOST.ipv4, 8083))).toBe(HOST.ipv4);
});

test('N F9: where ports are published is said by the network that leads out, at once', async () => {
  await d.docker('network', 'create', '-o', `${B}.host_binding_ipv4=127.0.0.1`, 'lo4');
  await d.docker('network', 'create', 'aa');
  const EVERYWHERE = ['80/tcp -> 0.0.0.0:8094', '80/tcp -> [::]:8094'];
  const LOCAL = ['80/tcp -> 127.0.0.1:8094'];
  await server('web', '--network', 'name=lo4', '--network', 'name=aa,gw-priority=1', '-p', '8094:80');
  expect(await lines('web')).toEqual(EVERYWHERE);
  await answers(d.outside, HOST.ipv4, 8094);
  await d.docker('network', 'disconnect', 'aa', 'web');
  expect(await lines('web')).toEqual(LOCAL);
  await answers(d.host, '127.0.0.1', 8094);
  expect(await asked(d.outside, HOST.ipv4, 8094)).toBe('');
  await d.docker('network', 'connect', '--gw-priority', '9', 'aa', 'web');
  expect(await lines('web')).toEqual(EVERYWHERE);
  await answers(d.outside, HOST.ipv6, 8094);
  await d.docker('restart', 'web');
  expect(await lines('web')).toEqual(EVERYWHERE);
  await d.docker('rm', '-f', 'web');
  // a port that was chosen keeps its number
  await server('any', '--network', 'aa', '-p', '80');
  const chosen = await lines('any');
  await d.docker('network', 'connect', '--gw-priority', '9', 'lo4', 'any');
  expect(await lines('any')).toEqual([chosen[0]?.replace('0.0.0.0', '127.0.0.1')]);
  await d.docker('network', 'disconnect', 'lo4', 'any');
  expect(await lines('any')).toEqual(chosen);
});

/** The driver of plugins' networks: what a plugin answered, as kernel objects. */
import { describe, expect, it } from 'vitest';
import { plugin } from '../../src/drivers/index.js';
import { gateways } from '../../src/engine/attach/gateways.js';
import type { PluginEndpoint } from '../../src/model/endpoint.js';
import { build } from '../../src/plan/diff.js';
import { print } from '../../src/plan/print.js';
import { aNetwork, anEndpoint, aSandbox, aView } from '../support/views.js';

const answered = (more: Partial<PluginEndpoint> = {}): PluginEndpoint => ({
  source: 'tap0',
  routes: [],
  external: false,
  ...more,
});
const endpointOf = (answer: PluginEndpoint, more = {}) =>
  anEndpoint({ hostIfname: '', plugin: answer, ...more });
const plan = (answer: PluginEndpoint, more = {}): string =>
  print(build(plugin.endpoint(aView({ endpoint: endpointOf(answer, more) }))));
const routes = (answer: PluginEndpoint, more = {}): readonly string[] =>
  plan(answer, more)
    .split('\n')
    .filter((line) => line.includes('route add'))
    .map((line) => line.replace(/.*route add /, ''));

describe('the driver of plugins', () => {
  it('D9 moves the plugin’s link, gives it the MAC and addresses, and raises it before its routes', () => {
    expect(plan(answered({ gateway4: '172.18.0.1' }))).toMatch(
      /link add eth0 moved from tap0 address 02:42:ac:12:00:02.*\n(.*sysctl.*\n)*.*address add 172.18.0.2\/16 dev eth0\n.*link set eth0 up\n.*route add default via 172.18.0.1 dev eth0\n$/,
    );
  });
  it('D9 leaves the MAC alone that nobody named', () => {
    expect(plan(answered(), { mac: '' })).toContain('link add eth0 moved from tap0 down');
  });
  it('D9 makes nothing where the plugin made no link', () => {
    const { source: _, ...rest } = answered();
    expect(plan(rest)).toBe('');
  });
  it('D9 adds static routes, but not the one the kernel makes, and the default one only where it leads out', () => {
    const answer = answered({
      routes: [
        { destination: '10.0.0.0/8', via: '172.18.0.9' },
        { destination: '192.0.2.0/24' },
        { destination: '172.18.0.0/16' },
        { destination: '0.0.0.0/0', via: '172.18.0.7' },
      ],
    });
    const apart = ['10.0.0.0/8 via 172.18.0.9 dev eth0', '192.0.2.0/24 dev eth0'];
    expect(routes(answer)).toEqual(['default via 172.18.0.7 dev eth0', ...apart]);
    const view = aView({ endpoint: endpointOf(answer), sandbox: aSandbox({ gateway4: null }) });
    expect(print(build(plugin.endpoint(view)))).not.toContain('default');
  });
  it('D9 leads out only where the plugin named a gateway, and never from an internal network', () => {
    const chosen = (answer: PluginEndpoint, internal = false) => {
      const endpoint = endpointOf(answer, { ipv6: 'fd00:1::2/64' });
      const member = { endpoint, network: aNetwork({ internal, ipv6: true }), driver: plugin };
      const { gateway4, gateway6 } = gateways([member]);
      return [gateway4 !== null, gateway6 !== null];
    };
    expect(chosen(answered())).toEqual([false, false]);
    expect(chosen(answered({ gateway4: '172.18.0.1' }))).toEqual([true, false]);
    expect(chosen(answered({ routes: [{ destination: '::/0', via: 'fd00:1::1' }] }))).toEqual([false, true]);
    expect(chosen(answered({ gateway4: '172.18.0.1' }), true)).toEqual([false, false]);
  });
});

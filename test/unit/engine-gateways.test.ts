/** When a sandbox gets a gateway endpoint, and that it is then the way out. */
import { describe, expect, it } from 'vitest';
import type { Driver } from '../../src/drivers/contract.js';
import { DRIVERS, plugin as pluginDriver } from '../../src/drivers/index.js';
import { gateways, type Member, needsGateway } from '../../src/engine/attach/gateways.js';
import type { Endpoint, PluginEndpoint } from '../../src/model/endpoint.js';
import type { Network } from '../../src/model/network.js';
import { aNetwork, anEndpoint } from '../support/views.js';

const builtIn = (name: string): Driver => DRIVERS.get(name) ?? pluginDriver;

const member = (
  driver: Driver,
  changes: { network?: Partial<Omit<Network, 'id'>>; endpoint?: Partial<Omit<Endpoint, 'id'>> } = {},
): Member => ({
  driver,
  network: aNetwork({ driver: driver.name, ...changes.network }),
  endpoint: anEndpoint(changes.endpoint),
});
const plugin = (more: Partial<PluginEndpoint> = {}, network: Partial<Omit<Network, 'id'>> = {}): Member =>
  member(pluginDriver, {
    network: { driver: 'fake', ...network },
    endpoint: { ipv6: 'fd00:1::2/64', plugin: { source: 'tap0', routes: [], external: false, ...more } },
  });
const bridge = (network: Partial<Omit<Network, 'id'>> = {}): Member => member(builtIn('bridge'), { network });
const gateway: Member = {
  ...bridge({ name: 'docker_gwbridge' }),
  endpoint: anEndpoint({ id: '9a', gateway: true, dnsNames: [] }),
};

describe('a gateway endpoint (D9)', () => {
  it.each<[string, readonly Member[], boolean]>([
    ['nothing', [], false],
    ['a plugin that names no gateway', [plugin()], true],
    ['two of them', [plugin(), plugin()], true],
    ['one that names a gateway', [plugin({ gateway4: '172.18.0.1' })], false],
    ['one that names an IPv6 gateway only', [plugin({ gateway6: 'fd00:1::1' })], false],
    ['one with a static default route', [plugin({ routes: [{ destination: '0.0.0.0/0' }] })], false],
    ['one with other routes', [plugin({ routes: [{ destination: '10.0.0.0/8' }] })], true],
    ['one without any link', [plugin({ source: '' })], true],
    ['one that wants no gateway service', [plugin({ disableGateway: true })], false],
    ['that one beside another', [plugin({ disableGateway: true }), plugin()], true],
    ['an internal one', [plugin({}, { internal: true })], false],
    ['an internal one beside another', [plugin({}, { internal: true }), plugin()], true],
    [
      'an internal one that names a gateway beside another',
      [plugin({ gateway4: '172.18.0.1' }, { internal: true }), plugin()],
      true,
    ],
    ['a plugin and a bridge', [plugin(), bridge()], false],
    ['a plugin and an internal bridge', [plugin(), bridge({ internal: true })], true],
    ['an internal bridge alone', [bridge({ internal: true })], false],
    ['a macvlan network without a parent', [member(builtIn('macvlan'))], false],
    ['that and a plugin', [member(builtIn('macvlan')), plugin()], true],
    ['no network at all', [member(builtIn('null'), { endpoint: { ifname: '' } })], false],
  ])('%s: with one or without, the answer is the same', (_, members, expected) => {
    expect(needsGateway(members)).toBe(expected);
    expect(needsGateway([...members, gateway])).toBe(expected);
    expect(needsGateway([gateway, ...members])).toBe(expected);
  });

  it('is the way out of both where it has both families, and never before one that leads out itself', () => {
    const { id } = gateway.endpoint;
    expect(gateways([plugin(), gateway])).toEqual({ gateway4: id, gateway6: null });
    const dual: Member = { ...gateway, endpoint: { ...gateway.endpoint, ipv6: 'fd00:2::2/64' } };
    expect(gateways([plugin(), dual])).toEqual({ gateway4: id, gateway6: id });
  });
});

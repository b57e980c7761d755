/**
 * Scenarios of Docker's users and the plans they become, as `ip` and `nft` text in test/golden/plans. Several options may
 * share one golden: that is the proof that they make no difference there. `vitest -u` writes them anew; read the diff.
 */
import { describe, expect, it } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import type { EndpointView, HostView } from '../../src/drivers/contract.js';
import { overlay } from '../../src/drivers/overlay/index.js';
import type { Network } from '../../src/model/network.js';
import type { PortBinding } from '../../src/model/port.js';
import { diff } from '../../src/plan/diff.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { print } from '../../src/plan/print.js';
import {
  aNetwork,
  anEndpoint,
  anOverlay,
  aPeer,
  aSandbox,
  aView,
  HOST,
  POOL4,
  POOL6,
} from '../support/views.js';

const golden = async (
  name: string,
  before: readonly KernelObject[],
  after: readonly KernelObject[],
): Promise<void> => {
  await expect(print(diff(before, after))).toMatchFileSnapshot(`plans/${name}.txt`);
};

const sandboxSlice = (): readonly KernelObject[] => {
  const { netns, id } = aSandbox();
  return [
    { kind: 'netns', path: netns },
    { kind: 'resolver', ns: netns, sandboxId: id },
  ];
};

const publish = (changes: Partial<PortBinding> = {}): PortBinding => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  count: 1,
  ...changes,
});

const B = 'com.docker.network.bridge';
const DOCKER0 = aNetwork({
  name: 'bridge',
  options: { [`${B}.default_bridge`]: 'true', [`${B}.name`]: 'docker0' },
  pools: [{ ...POOL4, subnet: '172.17.0.0/16', gateway: '172.17.0.1' }],
  predefined: true,
});

describe('networks', () => {
  const created = (network: Network, host: HostView = HOST): readonly KernelObject[] =>
    bridge.network({ network, host });

  it('the default bridge', () => golden('network.docker0', [], created(DOCKER0)));
  it('docker network create mynetwork', () => golden('network.create', [], created(aNetwork())));
  it('docker network rm mynetwork', () => golden('network.rm', created(aNetwork()), []));
  it('--ipv6', () => golden('network.ipv6', [], created(aNetwork({ ipv6: true }))));
  it('--ipv6 --ipv4=false', () =>
    golden('network.ipv6-only', [], created(aNetwork({ ipv4: false, ipv6: true, pools: [POOL6] }))));
  it('on a host without IPv6', () =>
    golden('network.no-ipv6', [], created(aNetwork(), { ...HOST, ipv6: false })));
  it('-o com.docker.network.driver.mtu=9000 -o …host_ipv4 -o …trusted_host_interfaces', () =>
    golden(
      'network.options',
      [],
      created(
        aNetwork({
          options: {
            'com.docker.network.driver.mtu': '9000',
            'com.docker.network.host_ipv4': '192.0.2.7',
            [`${B}.trusted_host_interfaces`]: 'eth1:wg0',
          },
        }),
      ),
    ));
});

describe('the matrix of a bridge network’s options', () => {
  const modes = ['nat', 'nat-unprotected', 'routed', 'isolated'];
  const cases = [true, false].flatMap((internal) =>
    [true, false].flatMap((icc) =>
      [true, false].flatMap((masquerade) =>
        modes.flatMap((mode) =>
          mode === 'isolated' && !internal ? [] : [{ internal, icc, masquerade, mode }],
        ),
      ),
    ),
  );

  /** Only what makes a difference: no traffic leaves an internal network, and nothing is translated in a routed one. */
  const relevant = ({ internal, icc, masquerade, mode }: (typeof cases)[number]): string => {
    const between = icc ? 'icc' : 'no-icc';
    if (internal) return `internal,${between}${mode === 'isolated' ? ',isolated' : ''}`;
    if (mode === 'routed') return `routed,${between}`;
    return `${mode},${between},${masquerade ? 'masquerade' : 'no-masquerade'}`;
  };

  it.each(cases)('internal=$internal icc=$icc masquerade=$masquerade mode=$mode', async (options) => {
    const { internal, icc, masquerade, mode } = options;
    const network = aNetwork({
      internal,
      options: {
        [`${B}.enable_icc`]: String(icc),
        [`${B}.enable_ip_masquerade`]: String(masquerade),
        [`${B}.gateway_mode_ipv4`]: mode,
      },
      pools: [POOL4],
    });
    await golden(`matrix/${relevant(options)}`, [], bridge.network({ network, host: HOST }));
  });
});

describe('containers', () => {
  const slices = (view: EndpointView): readonly KernelObject[] => [
    ...sandboxSlice(),
    ...bridge.endpoint(view),
  ];
  const started = (view: EndpointView): Promise<void> => golden(`container.${name}`, [], slices(view));
  let name = '';
  const scenario = (title: string, text: string, view: EndpointView): void => {
    it(text, async () => {
      name = title;
      await started(view);
    });
  };

  scenario('run', 'docker run --network mynetwork', aView());
  scenario(
    'run-ipv6',
    'on a dual-stack network',
    aView({
      network: aNetwork({ ipv6: true }),
      endpoint: anEndpoint({ ipv6: 'fd00:1::2/64', linkLocal: ['169.254.8.8'] }),
    }),
  );
  scenario(
    'publish',
    '-p 8080:80 -p 127.0.0.1:53:53/udp',
    aView({
      endpoint: anEndpoint({
        bindings: [
          publish(),
          publish({ hostIp: '::' }),
          publish({ protocol: 'udp', hostIp: '127.0.0.1', hostPort: 53, containerPort: 53 }),
        ],
      }),
    }),
  );
  scenario(
    'publish-range',
    '-p 10000-19999:10000-19999',
    aView({
      endpoint: anEndpoint({ bindings: [publish({ hostPort: 10000, containerPort: 10000, count: 10000 })] }),
    }),
  );
  scenario(
    'routed',
    '-p 80 in gateway mode routed',
    aView({
      network: aNetwork({ options: { [`${B}.gateway_mode_ipv4`]: 'routed' } }),
      endpoint: anEndpoint({ bindings: [publish()] }),
    }),
  );
  scenario(
    'internal',
    'on an internal network, where -p does nothing',
    aView({
      network: aNetwork({ internal: true }),
      endpoint: anEndpoint({ bindings: [publish()] }),
    }),
  );
  scenario(
    'link',
    '--link db on a bridge without ICC',
    aView({
      network: aNetwork({ options: { [`${B}.enable_icc`]: 'false' } }),
      endpoint: anEndpoint({ linkedTo: [{ protocol: 'tcp', port: 5432, address: '172.18.0.3' }] }),
    }),
  );
  scenario(
    'sysctls',
    'with an interface name and sysctls of the user’s',
    aView({
      endpoint: anEndpoint({
        ifname: 'wan0',
        driverOptions: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' },
      }),
    }),
  );

  it('docker network disconnect, then connect with another port published', async () => {
    const one = slices(aView({ endpoint: anEndpoint({ bindings: [publish()] }) }));
    const other = slices(aView({ endpoint: anEndpoint({ bindings: [publish({ hostPort: 9090 })] }) }));
    await golden('container.republish', one, other);
    await golden('container.disconnect', one, sandboxSlice());
    await golden('container.stop', one, []);
  });
});

describe('networks that span hosts', () => {
  const place = { attached: true, address: '192.0.2.2' };
  const network = anOverlay({ ipv6: true });
  const hosts = [
    { id: 'node1', name: 'one', address: '192.0.2.2', own: true },
    { id: 'node2', name: 'two', address: '192.0.2.3', own: false },
  ];
  const peer = aPeer({ endpoints: aPeer().endpoints.map((e) => ({ ...e, ipv6: 'fd00:1::9/64' })) });
  const alone = overlay.between?.([{ network, host: HOST, place }], hosts) ?? [];
  const joined = (remote = peer): readonly KernelObject[] => [
    ...alone,
    ...overlay.network({ network, host: HOST, place }),
    ...(overlay.peer?.({ network, host: HOST, place, peer: remote }) ?? []),
    ...sandboxSlice(),
    ...overlay.endpoint(aView({ network, place, endpoint: anEndpoint({ ipv6: 'fd00:1::2/64' }) })),
  ];

  const keys = [1, 2].map((n) => Buffer.alloc(32, n).toString('base64'));
  const sealed = anOverlay({ overlay: { vni: 4096, port: 4790, mtu: 1370, encrypted: true } });
  const keyed = hosts.map((host, at) => ({ ...host, tunnel: { key: keys[at] ?? '', port: 51_820 } }));
  const inside = { ...place, key: keys[0] ?? '' };
  const apart = { network: sealed, host: HOST, place: { ...inside, attached: false } };
  const known = overlay.between?.([apart], keyed) ?? [];
  const hidden: readonly KernelObject[] = [
    ...(overlay.between?.([{ ...apart, place: inside }], keyed) ?? []),
    ...overlay.network({ network: sealed, host: HOST, place: inside }),
    ...(overlay.peer?.({ network: sealed, host: HOST, place: inside, peer: aPeer({ key: keys[1] ?? '' }) }) ??
      []),
    ...sandboxSlice(),
    ...overlay.endpoint(aView({ network: sealed, place: inside })),
  ];

  const served = (...backends: readonly string[]): readonly KernelObject[] => [
    ...sandboxSlice(),
    {
      kind: 'services',
      ns: aSandbox().netns,
      services: [
        { address: '172.18.1.1', backends, leaving: [] },
        { address: '172.18.1.2', backends: ['172.18.0.9'], leaving: [] },
      ],
    },
  ];
  it('S6 its services are reached, one of them loses a task, and all of its tasks', async () => {
    await golden('services.reach', sandboxSlice(), served('172.18.0.3', '172.18.0.4', '172.18.0.5'));
    await golden(
      'services.lose',
      served('172.18.0.3', '172.18.0.4', '172.18.0.5'),
      served('172.18.0.5', '172.18.0.4'),
    );
    await golden('services.none', served('172.18.0.5'), served());
    await golden('services.forget', served(), sandboxSlice());
  });

  it('made on another host', () => golden('overlay.known', [], alone));
  it('encrypted: known here, its first container, its last', async () => {
    await golden('overlay.encrypted-known', [], known);
    await golden('overlay.encrypted-join', known, hidden);
    await golden('overlay.encrypted-leave', hidden, known);
  });
  it('its first container on this one', () => golden('overlay.join', alone, joined()));
  it('its last container leaves', () => golden('overlay.leave', joined(), alone));
  it('a container moves from one other host to another', () =>
    golden('overlay.move', joined(), joined({ ...peer, address: '192.0.2.4' })));
});

/** FAST (ADR 39): programs as bytes, and who has ways past a bridge. */
import { describe, expect, it, test } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import type { EndpointView } from '../../src/drivers/contract.js';
import {
  add,
  assemble,
  call,
  exit,
  jump,
  jumpIf,
  jumpIfRegister,
  label,
  load,
  loadMap,
  move,
  or,
  set,
  store,
} from '../../src/kernel/bpf/assembler.js';
import { ownEntry, peerKey } from '../../src/kernel/bpf/programs.js';
import { build, diff } from '../../src/plan/diff.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { printStep } from '../../src/plan/print.js';
import { aNetwork, anEndpoint, aSandbox, aView } from '../support/views.js';

const lines = (code: Buffer): string[] => code.toString('hex').match(/.{16}/g) ?? [];

describe('the assembler', () => {
  /** As `llvm-mc -triple bpfel` has them: code, registers, offset, immediate. */
  test.each([
    ['r6 = r1', [move(6, 1)], 'bf16000000000000'],
    ['r0 = -1', [set(0, -1)], 'b7000000ffffffff'],
    ['r2 += -4', [add(2, -4)], '07020000fcffffff'],
    ['r1 |= r2', [or(1, 2)], '4f21000000000000'],
    ['r1 = *(u8 *)(r7 + 20)', [load(1, 1, 7, 20)], '7171140000000000'],
    ['r1 = *(u16 *)(r7 + 12)', [load(2, 1, 7, 12)], '69710c0000000000'],
    ['r7 = *(u32 *)(r6 + 76)', [load(4, 7, 6, 76)], '61674c0000000000'],
    ['r1 = *(u64 *)(r7 + 22)', [load(8, 1, 7, 22)], '7971160000000000'],
    ['*(u32 *)(r10 - 4) = r1', [store(4, 10, -4, 1)], '631afcff00000000'],
    ['call 155', [call(155)], '850000009b000000'],
    ['exit', [exit()], '9500000000000000'],
  ])('%s', (_, program, hex) => {
    expect(lines(assemble(program))).toEqual([hex]);
  });
  test('a map is two slots; jumps count from behind themselves, back as well', () => {
    const program = [
      label('start'),
      ...loadMap(1, 7),
      jumpIf(1, '==', 0, 'end'),
      jumpIfRegister(1, '!=', 2, 'start'),
      jump('end'),
      label('end'),
      exit(),
    ];
    expect(lines(assemble(program))).toEqual([
      '1811000007000000',
      '0000000000000000',
      '1501020000000000',
      '5d21fcff00000000',
      '0500000000000000',
      '9500000000000000',
    ]);
  });
  test('a jump to nowhere', () => {
    expect(() => assemble([jump('nowhere')])).toThrow('no label nowhere');
  });
});

test('FAST entries: what is not there is zero', () => {
  const own = { net: 7, mac: Buffer.from('0242ac120002', 'hex') };
  expect(peerKey(own).toString('hex')).toBe('070000000242ac1200020000');
  expect(ownEntry({ ...own, ipv4: Buffer.from([172, 18, 0, 2]) }).toString('hex')).toBe(
    `070000000242ac1200020000ac120002${'00'.repeat(16)}`,
  );
});

const B = 'com.docker.network.bridge';
const view = (options: Readonly<Record<string, string>>, more: Partial<EndpointView> = {}): EndpointView => ({
  ...aView({ network: aNetwork({ ipv6: true, options }), endpoint: anEndpoint() }),
  ...more,
});
const all = (v: EndpointView): readonly KernelObject[] => [...bridge.network(v), ...bridge.endpoint(v)];
const ways = (v: EndpointView): readonly KernelObject[] =>
  all(v).filter(({ kind }) => kind === 'fastpath' || kind === 'shortcut' || kind === 'fdb');
const told = (v: EndpointView): readonly string[] => bridge.suspends?.(v, () => [v]) ?? [];

describe('FAST who has ways past the bridge', () => {
  it('nobody who did not ask', () => {
    for (const options of [{}, { 'viaduct.fastpath': 'false' }])
      expect([ways(view(options)), told(view(options))]).toEqual([[], []]);
  });
  it('a network and its containers, each with its first addresses', () => {
    const v = view({ 'viaduct.fastpath': 'true' });
    expect(ways(v)).toEqual([
      { kind: 'fastpath', bridge: 'br-a1b2c3d4e5f6', always: false },
      { kind: 'fdb', ns: 'host', link: 'vethe0000000000', mac: '02:42:ac:12:00:02' },
      {
        kind: 'shortcut',
        link: 'vethe0000000000',
        bridge: 'br-a1b2c3d4e5f6',
        mac: '02:42:ac:12:00:02',
        ipv4: '172.18.0.2',
        always: false,
      },
    ]);
    expect(told(v)).toEqual([]);
  });
  it.each([
    ['ICC off', view({ 'viaduct.fastpath': 'always', [`${B}.enable_icc`]: 'false' }), 'may not talk'],
    [
      'a bridge of the user’s',
      view(
        {},
        {
          network: aNetwork({
            options: { 'viaduct.fastpath': 'always', [`${B}.name`]: 'mine0' },
            adopted: { addresses: [], mtu: 1500, routeLocalnet: false },
          }),
        },
      ),
      'is not Viaduct’s',
    ],
  ])('not with %s', (_, v, reason) => {
    expect([ways(v), told(v)]).toEqual([[], [expect.stringContaining(reason)]]);
  });
  it('not a router, and its network has them', () => {
    const sandbox = aSandbox({ sysctls: { 'net.ipv4.ip_forward': '1' } });
    const v = view({ 'viaduct.fastpath': 'true' }, { sandbox });
    expect(ways(v).map(({ kind }) => kind)).toEqual(['fastpath']);
    expect(told(v)).toEqual([expect.stringContaining('suspended for web')]);
  });
});

test('FAST a way comes last and goes first, before the port that it is on', () => {
  const v = view({ 'viaduct.fastpath': 'true' });
  const kinds = (plan: ReturnType<typeof build>) => plan.map(({ op, object }) => `${op} ${object.kind}`);
  const [made, gone] = [kinds(build(all(v))), kinds(diff(all(v), []))];
  expect(made.at(-1)).toBe('create shortcut');
  expect(gone[0]).toBe('delete shortcut');
  expect(made.indexOf('create fastpath')).toBeLessThan(made.indexOf('create shortcut'));
  expect(gone.filter((each) => each === 'delete shortcut')).toHaveLength(1);
  expect(diff(all(v), []).slice(0, 1).map(printStep)).toEqual([
    'tc filter del dev vethe0000000000 ingress; lead nothing past br-a1b2c3d4e5f6 to 02:42:ac:12:00:02',
  ]);
});

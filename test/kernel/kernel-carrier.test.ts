/** A frame that follows an attach at once arrives, and none that a container sends before its port is to be up. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as ffi from '../../src/kernel/ffi.js';
import { inNamespace } from '../../src/kernel/netns.js';
import { BRIDGE, build, diff, endpoint, inside, network, testKernel } from './kernel-support.js';

const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number);
/** `linkwatch_sync_dev` in RTM_GETLINK */
const SYNCHRONOUS = major > 6 || (major === 6 && minor >= 8);
const AF_PACKET = 17;
const ETH_P_ALL = 0x0003;

const packetSocket = (): number =>
  ffi.socket(AF_PACKET, ffi.SOCK.RAW | ffi.SOCK.NONBLOCK, ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8));
const linkAddress = (index: number): Buffer => {
  const out = Buffer.alloc(20);
  out.writeUInt16LE(AF_PACKET, 0);
  out.writeInt32LE(index, 4);
  return out;
};

/** Does a frame with the text come within the milliseconds? One that is lost never comes, however long that is. */
const hears = async (listener: number, text: string, within: number): Promise<boolean> => {
  const buffer = Buffer.alloc(256);
  for (const end = performance.now() + within; ; ) {
    for (let n = ffi.recv(listener, buffer); n >= 0; n = ffi.recv(listener, buffer))
      if (buffer.subarray(0, n).includes(text)) return true;
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

test.runIf(SYNCHRONOUS)('twenty attaches, while links are being deleted', async () => {
  const netns = { kind: 'netns' as const, path: t.sandbox('a') };
  t.kernel.apply(build([...network(), netns]));
  const listener = inNamespace(netns.path, packetSocket);
  const sender = packetSocket();
  const plug = endpoint(netns.path, 2, BRIDGE);
  const frame = Buffer.concat([
    Buffer.from('ffffffffffff0242000000ff88b5', 'hex'),
    Buffer.from('now'),
    Buffer.alloc(60),
  ]);
  const arrived: boolean[] = [];
  for (let i = 0; i < 20; i++) {
    t.kernel.apply(build(plug));
    ffi.send(sender, frame, 0, linkAddress(ffi.ifNameToIndex(BRIDGE)));
    arrived.push(await hears(listener, 'now', 2_000));
    t.kernel.apply(diff(plug, []));
  }
  ffi.close(sender);
  ffi.close(listener);
  expect(arrived).toEqual(arrived.map(() => true));
});

test('a container that raises its own end before the pair is raised sends nothing', async () => {
  const netns = { kind: 'netns' as const, path: t.sandbox('a') };
  const plug = endpoint(netns.path, 2, BRIDGE).filter(({ kind }) => kind !== 'route');
  const down = plug.map((o) => (o.kind === 'link' ? { ...o, up: false } : o));
  t.kernel.apply(build([...network(), netns, ...down]));
  inside(netns.path, 'ip', 'link', 'set', 'eth0', 'up');
  const listener = packetSocket();
  const sender = inNamespace(netns.path, packetSocket);
  const send = async (text: string, within: number): Promise<boolean> => {
    const frame = Buffer.concat([Buffer.from('ffffffffffff0242ac12000288b5', 'hex'), Buffer.from(text)]);
    try {
      inNamespace(netns.path, () => ffi.send(sender, frame, 0, linkAddress(ffi.ifNameToIndex('eth0'))));
    } catch {
      // ENETDOWN: there is nothing at the other end.
    }
    return hears(listener, text, within);
  };
  expect(await send('too early', 20)).toBe(false);
  t.kernel.apply(diff(down, plug));
  expect(await send('in time', 2_000)).toBe(true);
  ffi.close(sender);
  ffi.close(listener);
});

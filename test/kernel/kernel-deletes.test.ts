/** Deletes do not make anybody wait, end traffic at once, free names at once, and are finished after a crash. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostSocket, NETLINK } from '../../src/kernel/netlink.js';
import { GROUP } from '../../src/kernel/reaper.js';
import { changeLink } from '../../src/kernel/rtnetlink/link.js';
import { BRIDGE, build, diff, endpoint, inside, ip, network, testKernel } from './kernel-support.js';

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const netns = (name: string) => ({ kind: 'netns' as const, path: t.sandbox(name) });
const VETH = 'veth00000000002';

test('a hot unplug returns before the kernel is done, with the traffic ended', async () => {
  const a = t.sandbox('a');
  const plug = endpoint(a, 2, BRIDGE);
  t.kernel.apply(build([...network(), netns('a'), ...plug]));
  expect(inside(a, 'ping', '-c1', '-W1', '172.18.0.1')).toContain('1 received');
  t.kernel.apply(diff(plug, []));
  expect(ip('link', 'show', VETH)).toContain('state DOWN');
  expect(t.kernel.present(plug[0] ?? netns('a'))).toBe(false);
  expect(t.kernel.observe().some((o) => o.kind === 'link' && o.name === VETH)).toBe(false);
  await t.kernel.settled(a);
  expect(ip('-o', 'link')).not.toContain(VETH);
  expect(inside(a, 'ip', '-o', 'link')).not.toContain('eth0');
});

test('the same endpoint is plugged, unplugged and plugged again without waiting', async () => {
  const plug = endpoint(t.sandbox('a'), 2, BRIDGE);
  t.kernel.apply(build([...network(), netns('a'), ...plug]));
  for (let i = 0; i < 6; i++) {
    t.kernel.apply(diff(plug, []));
    t.kernel.apply(build(plug));
  }
  for (const o of plug) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  expect(inside(t.sandbox('a'), 'ping', '-c1', '-W1', '172.18.0.1')).toContain('1 received');
  await t.kernel.settled();
  for (const o of plug) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  expect(ip('-o', 'link')).not.toContain('gone');
});

test('a successor keeps its name while its predecessor is still dying', () => {
  const plug = endpoint(t.sandbox('a'), 2, BRIDGE);
  t.kernel.apply(build([...network(), netns('a'), ...plug]));
  t.kernel.apply(diff(plug, []));
  t.kernel.apply(build(plug));
  const index = () => Number(/^(\d+):/.exec(ip('-o', 'link', 'show', VETH))?.[1]);
  const successor = index();
  t.kernel.apply(build(plug));
  expect(index()).toBe(successor);
});

test('a bridge is dropped and made again under its name', async () => {
  t.kernel.apply(build(network()));
  t.kernel.apply(diff(network(), []));
  t.kernel.apply(build(network()));
  await t.kernel.settled();
  expect(diff(t.kernel.observe(), network())).toEqual([]);
});

test('dropping a sandbox takes its links, on the host too', async () => {
  const names = ['a', 'b', 'c'];
  const sandboxes = names.flatMap((name, i) => [netns(name), ...endpoint(t.sandbox(name), i + 2, BRIDGE)]);
  t.kernel.apply(build([...network(), ...sandboxes]));
  t.kernel.apply(diff([...network(), ...sandboxes], network()));
  await t.kernel.settled();
  expect(ip('-o', 'link')).not.toContain('veth');
  expect(diff(t.kernel.observe(), network())).toEqual([]);
});

test('a sandbox that a process keeps alive loses its links all the same', async () => {
  const { openSync, closeSync } = await import('node:fs');
  const sandbox = [netns('a'), ...endpoint(t.sandbox('a'), 2, BRIDGE)];
  t.kernel.apply(build([...network(), ...sandbox]));
  const kept = openSync(t.sandbox('a'), 'r');
  t.kernel.apply(diff([...network(), ...sandbox], network()));
  await t.kernel.settled();
  expect(ip('-o', 'link')).not.toContain('veth');
  closeSync(kept);
});

test('what a killed daemon had marked is deleted by the next', async () => {
  const plug = endpoint(t.sandbox('a'), 2, BRIDGE);
  t.kernel.apply(build([...network(), netns('a'), ...plug]));
  hostSocket(NETLINK.ROUTE).request([changeLink(VETH, { up: false, group: GROUP })], 'mark');
  const next = testKernel();
  await next.kernel.settled();
  expect(ip('-o', 'link')).not.toContain('veth');
  await next.end();
});

test('the event loop turns while forty links are deleted', async () => {
  const plugs = Array.from({ length: 40 }, (_, i) => endpoint(t.sandbox('a'), i + 2, BRIDGE)).flatMap(
    (objects, i) =>
      objects
        .filter((o) => o.kind === 'link')
        .map((o) => ('peerName' in o ? { ...o, peerName: `eth${i}` } : o)),
  );
  t.kernel.apply(build([...network(), netns('a'), ...plugs]));
  t.kernel.apply(diff(plugs, []));
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  await t.kernel.settled();
  clearInterval(counting);
  expect(ip('-o', 'link')).not.toContain('veth');
  expect(turns).toBeGreaterThan(3);
});

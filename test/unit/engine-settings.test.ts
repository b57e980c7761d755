/** Sysctls of containers and of the host: what begins, what a user takes away, how often we put one back. */
import { describe, expect, test } from 'vitest';
import { startSysctls, takesIpv6, withoutIpv6 } from '../../src/engine/attach/sysctls.js';
import { nextRow, pauseBefore, type Row } from '../../src/engine/commit/settings.js';
import type { HostConfig } from '../../src/model/container.js';

const hostConfig = (NetworkMode: string, Sysctls: Record<string, string> = {}): HostConfig => ({
  NetworkMode,
  Sysctls,
  PortBindings: {},
  PublishAllPorts: false,
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
});

describe('N F4 M8: a private namespace begins with', () => {
  test('two sysctls, unless its user names them in either spelling', () => {
    const [port, group] = ['net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ping_group_range'];
    expect(startSysctls(hostConfig('web'))).toEqual({ [port]: '0', [group]: '0 2147483647' });
    expect(startSysctls(hostConfig('web', { [port]: '80' }))).toEqual({
      [port]: '80',
      [group]: '0 2147483647',
    });
    const slashes = 'net/ipv4/ping_group_range';
    expect(startSysctls(hostConfig('web', { [slashes]: '1 2' }))).toEqual({ [port]: '0', [slashes]: '1 2' });
  });
  test.each(['host', 'container:0123'])('nothing in mode %s', (mode) => {
    expect(startSysctls(hostConfig(mode))).toEqual({});
  });
});

describe('M6 M7: IPv6 is off', () => {
  const off = (all: Record<string, string>, own = '') =>
    !takesIpv6(
      { sysctls: all },
      { driverOptions: own === '' ? {} : { 'com.docker.network.endpoint.sysctls': own } },
    );
  const [ALL, DEFAULT] = ['net.ipv6.conf.all.disable_ipv6', 'net.ipv6.conf.default.disable_ipv6'];
  const own = (value: number) => `net.ipv6.conf.IFNAME.disable_ipv6=${value}`;
  test('in the whole sandbox', () => {
    expect(off({ [ALL]: '1' })).toBe(true);
    expect(off({ 'net/ipv6/conf/all/disable_ipv6': '1' }, own(0))).toBe(true);
    expect(withoutIpv6({ sysctls: { [ALL]: '1' } })).toBe(true);
    expect(off({ [ALL]: '0' })).toBe(false);
  });
  test('on one interface, which comes before what is said of all that come', () => {
    expect(off({}, own(1))).toBe(true);
    expect(off({}, `${own(1)},${own(0)}`)).toBe(false);
    expect(off({ [DEFAULT]: '1' })).toBe(true);
    expect(off({ [DEFAULT]: '1' }, own(0))).toBe(false);
    expect(withoutIpv6({ sysctls: { [DEFAULT]: '1' } })).toBe(false);
    expect(off({}, 'net.ipv6.conf.IFNAME.accept_ra=2')).toBe(false);
  });
});

describe('N F3: a sysctl that others write again', () => {
  /** Puts it back as soon as it may; answers the pauses in milliseconds. */
  const fight = (repairs: number): readonly number[] => {
    let row: Row | undefined;
    let now = 0;
    return Array.from({ length: repairs }, () => {
      const pause = pauseBefore(row, now);
      now += pause + 1;
      row = nextRow(row, now);
      return pause;
    });
  };
  test('is put back five times at once, then after pauses that double up to five minutes', () => {
    expect(fight(8)).toEqual([0, 0, 0, 0, 0, 1_000, 2_000, 4_000]);
    expect(fight(40).at(-1)).toBe(300_000);
  });
  test('is put back at once again after a quiet minute', () => {
    let row: Row | undefined;
    for (let i = 0; i < 7; i += 1) row = nextRow(row, i);
    expect(pauseBefore(row, 7)).toBe(4_000);
    expect(pauseBefore(row, 7 + 64_000)).toBe(0);
    expect(nextRow(row, 7 + 64_000)).toEqual({ times: 1, last: 64_007 });
  });
});

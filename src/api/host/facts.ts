/** What `info` tells of the host, read from the kernel and os-release. The only file of the API that does. */

import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { textOrNone } from '../../small-files.js';
import type { HostFacts } from '../present/system.js';

/** Go's names of Node's architectures. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64' };

export const readHostFacts = (): HostFacts => {
  const release = readRelease();
  return {
    name: os.hostname(),
    kernel: os.release(),
    operatingSystem: release.get('PRETTY_NAME') ?? 'Linux',
    osVersion: release.get('VERSION_ID') ?? '',
    machine: os.machine(),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    processors: os.cpus().length,
    memoryBytes: os.totalmem(),
    openFiles: readdirSync('/proc/self/fd').length,
    ipv4Forwarding: textOrNone('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    // Of the root group only the children have memory files; the controller's list tells that there will be one.
    swapLimit:
      textOrNone('/sys/fs/cgroup/cgroup.controllers').includes('memory') && existsSync('/proc/swaps'),
    appArmor: textOrNone('/sys/module/apparmor/parameters/enabled').trim() === 'Y',
    time: new Date().toISOString(),
  };
};

const readRelease = (): ReadonlyMap<string, string> => {
  const entries = new Map<string, string>();
  for (const line of textOrNone('/etc/os-release').split('\n')) {
    const found = /^([A-Z_]+)=(?:"([^"]*)"|([^"]*))$/.exec(line);
    if (found !== null) entries.set(found[1] ?? '', found[2] ?? found[3] ?? '');
  }
  return entries;
};

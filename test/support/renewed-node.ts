/** One process of `cluster-keys.test.ts`: a node below DIRECTORY gets another key with its certificate. Usage: renewed-node.ts DIRECTORY */
import { join } from 'node:path';
import { createAuthority, generateKey, issue, requestCertificate } from '../../src/cluster/ca/authority.js';
import { type NodeFiles, nodeFiles } from '../../src/cluster/life/files.js';
import { layout } from '../../src/cluster/life/layout.js';

export const filesBelow = (base: string): NodeFiles =>
  nodeFiles(layout(join(base, 'data'), join(base, 'run')));

export const renew = (files: NodeFiles): void => {
  const now = Date.now();
  const [authority, key] = [createAuthority(now), generateKey()];
  const of = { nodeId: 'n1', role: 'worker', clusterId: 'c1', addresses: ['192.0.2.1'], now } as const;
  const certificate = issue(authority, requestCertificate(key), { ...of, validFor: 3_600_000 });
  files.saveCertificate(certificate, authority.certificate, key);
};

const [, main = '', base = ''] = process.argv;
if (main.endsWith('renewed-node.ts')) renew(filesBelow(base));

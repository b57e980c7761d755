/** Every field of `POST /build`: done, refused in words, or counted as none. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, createApi } from '../../src/api/index.js';
import { apiOf, type Api as Call } from '../support/api.js';
import { createFakeEngine } from '../support/fake-engine.js';

const directory = mkdtempSync(join(tmpdir(), 'viaduct-api-build-'));
const engine = createFakeEngine();
let api: Api;
let call: Call;

beforeAll(async () => {
  api = createApi(engine, { logger: { debug() {}, info() {}, warn() {}, error() {} } });
  await api.listen([`unix://${join(directory, 'api.sock')}`]);
  call = apiOf(join(directory, 'api.sock'));
});
afterAll(async () => {
  await api.close();
  rmSync(directory, { recursive: true, force: true });
});

const asked = async (
  query: Record<string, string>,
  headers: Record<string, string> = {},
  version = '1.52',
) => {
  const { status, text } = await call(
    'POST',
    `/v${version}/build?${new URLSearchParams(query)}`,
    'tar',
    headers,
  );
  expect(status, text).toBe(200);
  const request = engine.built.at(-1);
  if (!request) throw new Error('nothing was built');
  return request;
};

it('M28 U3: limits, networks and names are the containers’ of RUN', async () => {
  const { hostConfig } = await asked({
    memory: '67108864',
    memswap: '-1',
    cpushares: '512',
    cpuperiod: '100000',
    cpuquota: '50000',
    cpusetcpus: '0',
    cpusetmems: '0',
    shmsize: '1048576',
    ulimits: '[{"Name":"nofile","Soft":1,"Hard":2}]',
    extrahosts: 'a:192.0.2.1,b:192.0.2.2',
    networkmode: 'net',
  });
  expect(hostConfig).toMatchObject({
    Memory: 67108864,
    MemorySwap: -1,
    CpuShares: 512,
    CpuPeriod: 100000,
    CpuQuota: 50000,
    CpusetCpus: '0',
    CpusetMems: '0',
    ShmSize: 1048576,
    Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
    ExtraHosts: ['a:192.0.2.1', 'b:192.0.2.2'],
    NetworkMode: 'net',
  });
  for (const mode of ['', 'default', 'bridge'])
    expect((await asked({ networkmode: mode })).hostConfig.NetworkMode).toBe('bridge');
});

it('M46: what to build, from what, and what of it stays', async () => {
  const request = await asked({
    dockerfile: 'sub/Other',
    target: 'Two',
    nocache: '1',
    pull: '1',
    rm: '0',
    platform: 'linux/amd64',
    buildargs: '{"A":"1","B":null}',
    labels: '{"l":"v"}',
    cachefrom: '["one","two"]',
  });
  expect(request).toMatchObject({
    dockerfile: 'sub/Other',
    target: 'Two',
    noCache: true,
    pull: true,
    keepContainers: true,
    platform: 'linux/amd64',
    buildArgs: { A: '1', B: null },
    labels: { l: 'v' },
    cacheFrom: ['one', 'two'],
  });
  expect(await asked({})).toMatchObject({ dockerfile: 'Dockerfile', keepContainers: false, noCache: false });
  expect((await asked({ cachefrom: '[]' })).cacheFrom).toBeUndefined();
  expect((await asked({ rm: '0', forcerm: '1' })).keepContainers).toBe(false);
  expect((await asked({ platform: 'linux/arm64' }, {}, '1.31')).platform).toBe('');
});

it('U12: credentials come by registry; unreadable ones are none', async () => {
  const sent = { 'localhost:5000': { username: 'me', password: 'secret' } };
  const header = (text: string) => ({ 'x-registry-config': Buffer.from(text).toString('base64') });
  expect((await asked({}, header(JSON.stringify(sent)))).auths).toEqual(sent);
  expect((await asked({}, header('no json'))).auths).toEqual({});
  expect((await asked({}, { 'x-registry-config': '%%%' })).auths).toEqual({});
});

it.each([
  ['version=2', 501, 'BuildKit is not supported'],
  ['version=9', 400, 'invalid version "9"'],
  ['remote=https://example.com/x.git', 501, 'remote build contexts are not supported'],
  ['remote=client-session', 400, 'no longer supported'],
  ['securityopt=x', 400, 'security options are not supported on linux'],
  ['squash=1', 400, 'squash is only supported with experimental mode'],
  ['isolation=hyperv', 400, 'unsupported isolation: "hyperv"'],
  ['cgroupparent=x', 501, 'cgroup parent'],
  ['outputs=[{"Type":"local"}]', 501, 'outputs are not supported'],
  ['memory=1024', 400, 'Minimum memory limit allowed is 6MB'],
  ['memory=x', 400, 'invalid value for memory'],
  ['buildargs={', 400, 'error reading build args'],
  ['labels=[]', 400, ''],
  ['cachefrom={}', 400, ''],
  ['extrahosts=nonsense', 400, 'bad format for add-host'],
])('M28: %s is refused', async (query, status, message) => {
  const answer = await call('POST', `/v1.52/build?${query}`, 'tar');
  expect([answer.status, answer.text]).toEqual([
    status,
    expect.stringContaining(JSON.stringify(message).slice(1, -1)),
  ]);
});

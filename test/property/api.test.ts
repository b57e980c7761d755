/** Whatever JSON a client sends: never a 5xx, always a message with an error, and a refusal changes nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detachReader } from '../../src/api/http/detach.js';
import { type Api, createApi } from '../../src/api/index.js';
import { presentServiceSpec } from '../../src/api/present/service-spec.js';
import { readBlob } from '../../src/api/read/blob.js';
import { compilePattern } from '../../src/api/read/pattern.js';
import { readServiceSpec } from '../../src/api/read/service.js';
import { ViaductError } from '../../src/errors.js';
import { apiOf, type Api as Call } from '../support/api.js';
import { createFakeEngine } from '../support/fake-engine.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const directory = mkdtempSync(join(tmpdir(), 'viaduct-api-property-'));
const engine = createFakeEngine();
let api: Api;
let call: Call;

beforeAll(async () => {
  api = createApi(engine, { logger: quiet });
  await api.listen([`unix://${directory}/s`]);
  call = apiOf(`${directory}/s`);
});
afterAll(async () => {
  await api.close();
  rmSync(directory, { recursive: true, force: true });
});

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('', 'bridge', 'busybox', 'container:x', '80/tcp', '10.0.0.0/8', '__proto__'),
);
const junk = fc.oneof(fc.jsonValue(), text, fc.integer(), fc.constant(null));
const field = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: junk });

const endpoint = fc.record(
  {
    IPAMConfig: field(fc.record({ IPv4Address: text }, { requiredKeys: [] })),
    Aliases: field(fc.array(text)),
    DriverOpts: field(fc.dictionary(text, text)),
    MacAddress: field(text),
    GwPriority: field(fc.integer()),
  },
  { requiredKeys: [] },
);
const hostConfig = fc.record(
  {
    NetworkMode: field(text),
    PortBindings: field(
      fc.dictionary(
        fc.oneof(
          text,
          fc.nat(70_000).map((port) => `${port}/tcp`),
        ),
        fc.oneof(junk, fc.array(fc.record({ HostIp: text, HostPort: text }))),
      ),
    ),
    RestartPolicy: field(fc.record({ Name: text, MaximumRetryCount: fc.integer() })),
    Memory: field(fc.integer()),
    Dns: field(fc.array(text)),
    ExtraHosts: field(fc.array(text)),
    Sysctls: field(fc.dictionary(text, text)),
    Mounts: field(fc.array(junk)),
    Links: field(fc.array(text)),
  },
  { requiredKeys: [] },
);
const createBody = fc.record(
  {
    Image: field(fc.constant('busybox')),
    Cmd: field(fc.array(text)),
    Env: field(fc.array(text)),
    Labels: field(fc.dictionary(text, text)),
    ExposedPorts: field(fc.dictionary(text, fc.constant({}))),
    HostConfig: field(hostConfig),
    NetworkingConfig: field(fc.record({ EndpointsConfig: fc.dictionary(text, fc.oneof(endpoint, junk)) })),
  },
  { requiredKeys: [] },
);
const networkBody = fc.record(
  {
    Name: field(text),
    Driver: field(text),
    Internal: field(fc.boolean()),
    Options: field(fc.dictionary(text, text)),
    IPAM: field(fc.record({ Config: field(fc.array(junk)) })),
  },
  { requiredKeys: [] },
);

const check = async (method: string, path: string, body?: unknown): Promise<void> => {
  const before = engine.networks.list().length + engine.containers.list().length;
  const answer = await call(method, path, body);
  expect(answer.status, answer.text).toBeLessThan(500);
  if (answer.status < 400) return;
  expect(answer.json).toEqual({ message: expect.stringMatching(/./) });
  expect(engine.networks.list().length + engine.containers.list().length).toBe(before);
};

const version = fc.constantFrom('', '/v1.24', '/v1.41', '/v1.44', '/v1.50', '/v1.52');

describe('any request', () => {
  it('containers/create takes or refuses any body', async () => {
    await fc.assert(
      fc.asyncProperty(version, fc.oneof(createBody, junk), (prefix, body) =>
        check('POST', `${prefix}/containers/create`, body),
      ),
      { numRuns: 300 },
    );
  });

  it('networks/create, connect, disconnect take or refuse any body', async () => {
    await fc.assert(
      fc.asyncProperty(
        version,
        fc.constantFrom('create', 'bridge/connect', 'bridge/disconnect'),
        fc.oneof(networkBody, junk),
        (prefix, what, body) => check('POST', `${prefix}/networks/${what}`, body),
      ),
      { numRuns: 300 },
    );
  });

  it('exec and update and volumes take or refuse any body', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('/containers/x/exec', '/exec/x/start', '/containers/x/update', '/volumes/create'),
        junk,
        (path, body) => check('POST', path, body),
      ),
      { numRuns: 200 },
    );
  });

  it('lists take or refuse any filter and any query', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('/containers/json', '/networks', '/images/json', '/volumes'),
        fc.oneof(
          junk,
          fc.dictionary(
            fc.constantFrom(
              'name',
              'id',
              'label',
              'status',
              'dangling',
              'publish',
              'since',
              'reference',
              'type',
            ),
            fc.array(text),
          ),
        ),
        text,
        (path, filters, limit) =>
          check(
            'GET',
            `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}&limit=${encodeURIComponent(limit)}`,
          ),
      ),
      { numRuns: 300 },
    );
  });

  it('any path is answered', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'DELETE', 'PUT'),
        fc.array(text, { maxLength: 4 }),
        (method, parts) => check(method, `/${parts.map((part) => encodeURIComponent(part)).join('/')}`),
      ),
      { numRuns: 300 },
    );
  });
});

describe('pure readers', () => {
  it('S3 S10: specs of services, secrets and configs are read or refused, whatever they are', () => {
    const often = <T>(good: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 30, arbitrary: good }, { weight: 1, arbitrary: junk });
    const some = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, ...requiredKeys: (keyof T)[]) =>
      often(fc.record(model, { requiredKeys }));
    const references = fc.array(
      some({ File: some({ Name: text, Mode: fc.nat() }, 'Name'), SecretID: text }, 'File'),
    );
    const container = some(
      {
        Image: often(fc.constant('busybox')),
        Env: often(fc.array(text)),
        Mounts: often(
          fc.array(some({ Type: fc.constantFrom('bind', 'tmpfs'), Target: text, TmpfsOptions: some({}) })),
        ),
        Privileges: some({ NoNewPrivileges: fc.boolean() }),
        Healthcheck: some({ Test: fc.array(text), StartInterval: fc.nat() }),
        Isolation: fc.constantFrom('', 'default', 'process'),
        Secrets: often(references),
        Configs: often(references),
      },
      'Image',
    );
    const task = some(
      {
        ContainerSpec: container,
        Resources: some({
          Limits: some({ NanoCPUs: fc.nat() }),
          Reservations: some({ MemoryBytes: fc.nat() }),
        }),
        Placement: some({ Constraints: fc.array(text), MaxReplicas: fc.nat() }),
        Networks: often(fc.array(some({ Target: text, Aliases: fc.array(text) }))),
        RestartPolicy: some({ Condition: fc.constantFrom('', 'none', 'any'), Delay: fc.nat() }),
        ForceUpdate: fc.nat(),
      },
      'ContainerSpec',
    );
    const body = some(
      {
        Name: text,
        TaskTemplate: task,
        Mode: fc.oneof(some({ Replicated: some({ Replicas: fc.integer() }) }), some({ GlobalJob: some({}) })),
        EndpointSpec: some({
          Ports: fc.array(some({ TargetPort: fc.nat(), Protocol: fc.constantFrom('', 'udp') })),
        }),
        UpdateConfig: some({ Parallelism: fc.nat(), Order: fc.constantFrom('', 'start-first', 'x') }),
        Data: text,
      },
      'TaskTemplate',
    );
    let read = 0;
    const refusing = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        expect(error).toBeInstanceOf(ViaductError);
        expect((error as ViaductError).kind).toMatch(/^(invalid|not-implemented)$/);
      }
    };
    fc.assert(
      fc.property(body, fc.integer({ min: 24, max: 52 }), (sent, minor) => {
        const parameters = { minor, registryAuth: '', name: () => 'brave_bohr' };
        refusing(() => {
          const spec = readServiceSpec(sent, parameters);
          const shown = JSON.parse(JSON.stringify(presentServiceSpec(spec, false)));
          expect(readServiceSpec(shown, { ...parameters, minor: 52 })).toEqual(spec);
          presentServiceSpec(spec, true);
          read += 1;
        });
        for (const kind of ['secret', 'config'] as const) refusing(() => readBlob(sent, kind));
      }),
      { numRuns: 1000 },
    );
    expect(read).toBeGreaterThan(50);
  });

  it('patterns agree with the language on what both can say', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '(a|b)',
      '(ab)?',
      'a*',
      'b+',
      'a{1,2}',
      '^',
      '$',
    );
    fc.assert(
      fc.property(fc.array(atom, { maxLength: 6 }), fc.stringMatching(/^[abc]{0,12}$/), (atoms, subject) => {
        const source = atoms.join('');
        expect(compilePattern(source)?.(subject)).toBe(new RegExp(source).test(subject));
      }),
      { numRuns: 2000 },
    );
  });

  it('patterns never throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (source, subject) => {
        compilePattern(source)?.(subject);
      }),
      { numRuns: 2000 },
    );
  });

  it('what is typed arrives up to the detach keys, however it is cut', () => {
    const keys = [16, 17];
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ max: 20, maxLength: 8 })), (chunks) => {
        const read = detachReader(keys);
        const passed: number[] = [];
        let detached = false;
        for (const chunk of chunks) {
          if (detached) break;
          const typed = read(chunk);
          passed.push(...typed.bytes);
          detached = typed.detached;
        }
        const all = chunks.flatMap((chunk) => [...chunk]);
        const at = all.findIndex((byte, i) => byte === 16 && all[i + 1] === 17);
        const expected = at >= 0 ? all.slice(0, at) : all.at(-1) === 16 ? all.slice(0, -1) : all;
        expect([passed, detached]).toEqual([expected, at >= 0]);
      }),
    );
  });
});

/** S1: whatever comes to a manager's port, byte by byte and message by message: it is understood or refused, and costs little. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, generateKey, issue, requestCertificate } from '../../src/cluster/ca/authority.js';
import { readHello } from '../../src/cluster/door/hello.js';
import { bodySplitter, encodeFrame, frames } from '../../src/cluster/session/frames.js';
import { fromNode, fromStranger, MOST_BYTES } from '../../src/cluster/session/protocol.js';
import { PATIENCE } from '../support/run.js';

/** Bytes beyond which nothing is waited for: a hello, and the header of a record. */
const LONGEST_HELLO = 16_384 + 5;
/** Milliseconds that one message may hold the manager: what is promised is 50, but the machine has other work too. */
const HELD = 250 * PATIENCE;

let hello: Buffer;
beforeAll(async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const taken = once(server, 'connection') as Promise<[Socket]>;
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1', ALPNProtocols: ['viaduct/1', 'other'] });
  client.on('error', () => {});
  const [socket] = await taken;
  [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
});

const bytes = fc.uint8Array({ maxLength: 600 }).map((each) => Buffer.from(each));
/** The real one with some bytes changed, some left out at its end and others behind it. */
const damaged = fc
  .record({
    changes: fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    cut: fc.nat(2_000),
    more: bytes,
  })
  .map(({ changes, cut, more }) => {
    const copy = Buffer.from(hello);
    for (const [at, value] of changes) copy[at % copy.length] = value;
    return Buffer.concat([copy.subarray(0, copy.length - (cut % copy.length)), more]);
  });

describe('S1: the first message of a connection', () => {
  test('of any bytes is bounded, and what is decided stays so whatever follows', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, damaged), bytes, (first, more) => {
        const found = readHello(first);
        if (found.kind !== 'incomplete') {
          expect(readHello(Buffer.concat([first, more]))).toEqual(found);
          return;
        }
        expect(found.need).toBeGreaterThan(first.length);
        expect(found.need).toBeLessThanOrEqual(LONGEST_HELLO);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is understood when it is whole and not before, wherever it was cut', () => {
    expect(readHello(hello)).toEqual({ kind: 'hello', protocols: ['viaduct/1', 'other'] });
    for (let length = 0; length < hello.length; length += 1)
      expect(readHello(hello.subarray(0, length)).kind).toBe('incomplete');
  });
});

describe('S1: messages', () => {
  test('of any bytes in any pieces reach nobody unless they are in form, and end no more than their connection', async () => {
    const message = fc.oneof(
      fc.constant(encodeFrame({ type: 'authorities', ask: 1 })),
      fc.jsonValue().map((value) => encodeFrame({ type: value })),
      bytes,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 6 }),
        fc.integer({ min: 1, max: 40 }),
        async (all, cut) => {
          const socket = new PassThrough();
          const heard: unknown[] = [];
          const closed = new Promise<string>((resolve) => {
            frames(socket, {
              limit: () => MOST_BYTES.stranger,
              message: (raw) => heard.push(fromStranger.parse(raw)),
              closed: resolve,
            });
          });
          const whole = Buffer.concat(all);
          for (let at = 0; at < whole.length && !socket.destroyed; at += cut)
            socket.write(whole.subarray(at, at + cut));
          socket.end();
          await closed;
          for (const each of heard) expect(each).toEqual({ type: 'authorities', ask: 1 });
        },
      ),
    );
  });

  test('that come byte by byte, or say that they are long and never come, take no more memory than they have bytes', () => {
    const split = bodySplitter(() => MOST_BYTES.node);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(MOST_BYTES.node);
    const before = process.memoryUsage();
    expect(split(header)).toEqual([]);
    for (let i = 1; i < MOST_BYTES.node; i += 1) split(Buffer.from([i & 0xff]));
    const now = process.memoryUsage();
    const grown = now.heapUsed + now.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(grown).toBeLessThan(32 * MOST_BYTES.node);
    const [body] = split(Buffer.from([7]));
    expect(body).toHaveLength(MOST_BYTES.node);
    expect([body?.[0], body?.[999], body?.at(-1)]).toEqual([1, 1_000 & 0xff, 7]);
  });

  test('with all the wrong values that they have room for are refused before they hold the manager', () => {
    const many = <T>(value: T, length = MOST_BYTES.node / 4): T[] => Array.from({ length }, () => value);
    const labels = Object.fromEntries(many(0, 90_000).map((value, i) => [i.toString(36), value]));
    const description = {
      ...{ hostname: '', architecture: '', os: '', nanoCpus: 1, memoryBytes: 1, engineVersion: '' },
      ...{ labels: {}, plugins: [], tls: { trustRoot: '', issuerSubject: '', issuerPublicKey: '' } },
    };
    const place = { type: 'hello', advertise: 'a', dataPath: '' };
    for (const message of [
      { type: 'report', tasks: many({}) },
      { type: 'report', tasks: [{ ports: many({}) }] },
      { type: 'report', tasks: many({ ports: many({}, 256) }, 1_000) },
      { ...place, description: { ...description, labels } },
      { ...place, description: { ...description, plugins: many({}) } },
      { type: 'attach', ask: 1, networkId: 'a', endpoint: { dnsNames: many(0) } },
    ]) {
      const begun = performance.now();
      expect(fromNode.safeParse(message).success).toBe(false);
      expect(performance.now() - begun).toBeLessThan(HELD);
    }
    expect(fromNode.safeParse({ ...place, description }).success).toBe(true);
  });
});

describe('S1: a request for a certificate', () => {
  const authority = createAuthority(Date.now());
  const of = { nodeId: 'n1', clusterId: 'c1', role: 'worker', now: Date.now(), validFor: 0 } as const;

  test('of any text, or by the proof of another key, is refused in words', () => {
    const [own, other] = [requestCertificate(generateKey()), requestCertificate(generateKey())];
    const key = fc.oneof(
      fc.string({ maxLength: 2_000 }),
      fc.constantFrom(own.publicKey, authority.certificate),
    );
    const proof = fc.oneof(fc.base64String({ maxLength: 2_000 }), fc.constant(other.proof));
    fc.assert(
      fc.property(key, proof, (publicKey, given) => {
        expect(() => issue(authority, { publicKey, proof: given }, { ...of, addresses: [] })).toThrow(
          /the certificate request/,
        );
      }),
    );
  });

  test('names no address that is none', () => {
    const request = requestCertificate(generateKey());
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }).filter((text) => !/[.:]/.test(text)),
        (address) => {
          expect(() => issue(authority, request, { ...of, addresses: [address] })).toThrow(/address/);
        },
      ),
    );
  });
});

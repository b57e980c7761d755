/** What strangers send to a swarm's ports, and what is copied by people: any bytes, any texts. */
import { connect as connectPlain, createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { seal, unseal } from '../../src/cluster/ca/seal.js';
import { formatToken, newUnlockKey, parseToken } from '../../src/cluster/ca/tokens.js';
import { readHello } from '../../src/cluster/door/hello.js';
import { splitLines } from '../../src/cluster/etcd/transport.js';
import { type Packable, pack, unpack } from '../../src/cluster/serf/msgpack.js';

/** The first bytes that Node's TLS sends. */
const helloOf = (ALPNProtocols: string[]): Promise<Buffer> =>
  new Promise((resolve) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.once('data', (data) => {
        resolve(data);
        for (const each of sockets) each.destroy();
        server.close();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      connect({ socket: connectPlain(port, '127.0.0.1'), ALPNProtocols, servername: 'swarm-manager' }).on(
        'error',
        () => {},
      );
    });
  });

/** The same message in records of other lengths. */
const inRecords = (hello: Buffer, cuts: readonly number[]): Buffer => {
  const body = hello.subarray(5);
  const ends = [...new Set([...cuts.map((cut) => 1 + (cut % (body.length - 1))), body.length])].sort(
    (a, b) => a - b,
  );
  return Buffer.concat(
    ends.map((end, i) => {
      const part = body.subarray(ends[i - 1] ?? 0, end);
      const head = Buffer.from([0x16, 3, 1, 0, 0]);
      head.writeUInt16BE(part.length, 3);
      return Buffer.concat([head, part]);
    }),
  );
};

describe('the first message of a connection', () => {
  let plain: Buffer;
  let ours: Buffer;
  beforeAll(async () => {
    [plain, ours] = await Promise.all([helloOf([]), helloOf(['h2', 'viaduct/1'])]);
  });

  test('is read as it is', () => {
    expect(readHello(plain)).toEqual({ kind: 'hello', protocols: [] });
    expect(readHello(ours)).toEqual({ kind: 'hello', protocols: ['h2', 'viaduct/1'] });
    expect(readHello(Buffer.concat([ours, Buffer.from('more')]))).toMatchObject({ kind: 'hello' });
  });

  test('is the same however it is cut into records and chunks, and nothing is said before it is all there', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 7 }), fc.nat(), (cuts, at) => {
        const bytes = inRecords(ours, cuts);
        expect(readHello(bytes)).toEqual(readHello(ours));
        const part = readHello(bytes.subarray(0, at % bytes.length));
        expect(part.kind).toBe('incomplete');
        if (part.kind === 'incomplete') {
          expect(part.need).toBeGreaterThan(at % bytes.length);
          expect(part.need).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });

  test('any bytes, and a hello with any of its bytes changed: answered, never thrown, never without end', () => {
    const total = (bytes: Buffer) => {
      const found = readHello(bytes);
      if (found.kind === 'incomplete') expect(found.need).toBeGreaterThan(bytes.length);
      if (found.kind === 'incomplete') expect(found.need).toBeLessThanOrEqual(16_384 + 5);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => total(Buffer.from(bytes))));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(ours);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        total(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  test('HTTP, SSH, many tiny records and endless ones are strangers', () => {
    for (const text of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-x\r\n', '\0']) {
      expect(readHello(Buffer.from(text)).kind).toBe('stranger');
    }
    const tiny = inRecords(
      ours,
      Array.from({ length: 40 }, (_, i) => i),
    );
    expect(readHello(tiny).kind).toBe('stranger');
    expect(readHello(Buffer.from([0x16, 3, 1, 0xff, 0xff])).kind).toBe('stranger');
    expect(readHello(Buffer.from([0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])).kind).toBe('stranger');
  });
});

describe('MessagePack', () => {
  const packable = fc.letrec<{ value: Packable }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.nat(0xffff_ffff),
      fc.boolean(),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 20 }),
    ),
  })).value;

  test('comes back as it went, from any number of pieces', () => {
    fc.assert(
      fc.property(packable, fc.nat(), (value, at) => {
        const bytes = pack(value);
        const found = unpack(Buffer.concat([bytes, Buffer.from('rest')]));
        expect(JSON.stringify(found?.value)).toBe(JSON.stringify(value));
        expect(found?.rest.toString()).toBe('rest');
        expect(unpack(bytes.subarray(0, at % bytes.length))).toBeUndefined();
      }),
    );
  });

  test('any bytes: a value, too few, or refused in words', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          unpack(Buffer.from(bytes));
        } catch (error) {
          expect((error as Error).message).toContain('Serf’s RPC');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test('lines come whole, however they are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string()), fc.array(fc.nat(), { maxLength: 10 }), async (texts, cuts) => {
      const lines = texts.map((text) => text.replaceAll('\n', ' '));
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      async function* chunks() {
        for (const [i, end] of ends.entries()) yield bytes.subarray(ends[i - 1] ?? 0, end);
      }
      const found: string[] = [];
      for await (const line of splitLines(chunks(), 1_000_000)) found.push(line);
      expect(found).toEqual(lines);
    }),
  );
});

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((each) => Buffer.from(each).toString('hex'));

test('a join token says what was put in; any other text is one or refused', () => {
  fc.assert(
    fc.property(hex(32), hex(16), (digest, secret) => {
      expect(parseToken(formatToken({ digest, secret }))).toEqual({ digest, secret });
    }),
  );
  const digits = fc.stringMatching(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
  fc.assert(
    fc.property(digits, (text) => {
      try {
        expect(formatToken(parseToken(text))).toBe(text);
      } catch (error) {
        expect((error as Error).message).toBe('invalid join token');
      }
    }),
  );
});

test('what is sealed and changed in any bit is not read', () => {
  const key = newUnlockKey();
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(), (text, place, bit) => {
      const sealed = seal(key, text, place);
      expect(unseal(key, sealed, place)).toBe(text);
      const bytes = Buffer.from(sealed.slice(2), 'base64');
      const at = bit % (bytes.length * 8);
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(unseal(key, `1.${bytes.toString('base64')}`, place)).toBeUndefined();
    }),
  );
});

/** The resolver's codec against any bytes, and against an independent codec. */

import * as packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answer } from '../../src/dns/answer.js';
import type { Names } from '../../src/dns/contract.js';
import { withoutRecords, withRecords } from '../../src/dns/hosts.js';
import { isReply, nameBytes, parseQuery } from '../../src/dns/message.js';
import { parseResolvConf, resolvConfText } from '../../src/dns/resolv-conf.js';
import { addressBytes, addressText } from '../../src/model/address-bytes.js';

const everything: Names = {
  dns: () => undefined,
  resolve: () => ({ ipv4: ['10.0.0.1', '10.0.0.2'], ipv6: ['fd00::1'] }),
  reverse: () => 'a.b',
  forwards: () => true,
};

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
const type = fc.constantFrom('A', 'AAAA', 'PTR', 'SRV', 'MX', 'TXT' as const);

describe('any bytes', () => {
  const check = (bytes: Uint8Array, tcp: boolean): void => {
    const message = Buffer.from(bytes);
    const out = Buffer.alloc(4096);
    const outcome = answer(everything, 's', message, message.length, out, tcp);
    if (typeof outcome !== 'number') return;
    expect(outcome === 0 || outcome >= 12).toBe(true);
    expect(outcome).toBeLessThanOrEqual(4096);
    if (outcome > 0) {
      const decoded = packet.decode(out.subarray(0, outcome));
      expect(decoded.type).toBe('response');
      expect(decoded.id).toBe(message.readUInt16BE(0));
    }
  };

  test('never throw and only give well-formed answers', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), check), { numRuns: 3000 });
  });

  test('nor do good questions with bytes changed', () => {
    const spoiled = fc
      .tuple(name, type, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }), fc.nat(80))
      .map(([asked, kind, changes, cut]) => {
        const message = packet.encode({
          type: 'query',
          id: 1,
          questions: [{ name: asked, type: kind }],
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: 1232,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
        });
        for (const [at, value] of changes) if (at < message.length) message[at] = value;
        return cut < 10 ? message.subarray(0, message.length - cut) : message;
      });
    fc.assert(fc.property(spoiled, fc.boolean(), check), { numRuns: 5000 });
  });

  test('as upstream answers are judged without a throw', () => {
    const asked = packet.encode({ type: 'query', id: 1, questions: [{ name: 'example.com', type: 'A' }] });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(0xffff), (bytes, id) => {
        expect(typeof isReply(bytes, asked, asked.length, id)).toBe('boolean');
      }),
    );
  });

  test('as resolv.conf and hosts files', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), fc.boolean(), (text, ipv6) => {
        const host = parseResolvConf(text);
        const overrides = { servers: [], search: [], options: [] };
        const written = resolvConfText({ host, overrides, mode: 'legacy', ipv6 });
        expect(parseResolvConf(written).servers.length).toBeGreaterThan(0);
        withoutRecords(withRecords(text, [{ address: '::1', names: 'x' }]), [
          { address: '10.0.0.1', names: 'y' },
        ]);
      }),
    );
  });
});

describe('decode∘encode', () => {
  test('a question is read as it was written', () => {
    const question = fc.record({
      id: fc.nat(0xffff),
      name,
      type,
      size: fc.option(fc.integer({ min: 512, max: 65535 })),
    });
    fc.assert(
      fc.property(question, (asked) => {
        const opt =
          asked.size === null
            ? []
            : [
                {
                  type: 'OPT' as const,
                  name: '.' as const,
                  udpPayloadSize: asked.size,
                  extendedRcode: 0,
                  ednsVersion: 0,
                  flags: 0,
                  flag_do: false,
                  options: [],
                },
              ];
        const message = packet.encode({
          type: 'query',
          id: asked.id,
          questions: [{ name: asked.name, type: asked.type }],
          additionals: opt,
        });
        expect(parseQuery(message)).toMatchObject({
          id: asked.id,
          name: asked.name.toLowerCase(),
          udpSize: asked.size ?? 0,
          version: 0,
        });
      }),
    );
  });

  test('names and addresses come back', () => {
    fc.assert(
      fc.property(name, (text) => {
        const question = packet.encode({ questions: [{ name: text, type: 'A' }] }).subarray(12, -4);
        expect(Buffer.from(nameBytes(text) ?? [])).toEqual(question);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const bytes = addressBytes(text);
        expect(bytes).toBeDefined();
        if (bytes) expect(addressBytes(addressText(bytes))).toEqual(bytes);
      }),
    );
  });

  test('records added to a hosts file and removed again leave it as it was', () => {
    const record = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), names: name });
    const line = fc.stringMatching(/^[a-z0-9. #]{1,30}$/);
    fc.assert(
      fc.property(fc.array(line), fc.array(record), (lines, records) => {
        const text = lines.map((l) => `${l}\n`).join('');
        expect(withoutRecords(withRecords(text, records), records)).toBe(text);
      }),
    );
  });
});

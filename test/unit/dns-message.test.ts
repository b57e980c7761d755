/** The resolver's answers, byte for byte as an independent codec (dns-packet) reads them. */
import * as packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { answer } from '../../src/dns/answer.js';
import type { Names } from '../../src/dns/contract.js';
import { isReply, parseQuery } from '../../src/dns/message.js';
import { reversedAddress } from '../../src/dns/reverse.js';

const many = Array.from({ length: 60 }, (_, i) => `10.1.0.${i + 1}`);
const known: Record<string, NonNullable<ReturnType<Names['resolve']>>> = {
  web: { ipv4: ['172.18.0.2', '172.18.0.3'], ipv6: ['fd00::2'] },
  four: { ipv4: ['172.18.0.4'], ipv6: [] },
  many: { ipv4: many, ipv6: [] },
  'tasks.web': { ipv4: ['172.18.0.2', '172.18.0.3'], ipv6: [], ttl: 5 },
  'web.front': { ipv4: ['172.18.0.2'], ipv6: [] },
};
const names = (options: readonly string[] = []): Names => ({
  dns: () => ({ embedded: true, servers: [], search: [], options, links: {} }),
  resolve: (sandbox, name) => (sandbox === 's1' ? known[name] : undefined),
  reverse: (_, address) => ({ '172.18.0.2': 'web.front', 'fd00::2': 'web.front' })[address] ?? undefined,
  service: (_, name) =>
    name === '_http._tcp.web' ? [{ target: 'web1', port: 8080, address: '172.18.0.2' }] : undefined,
  forwards: () => true,
});

type Decoded = packet.DecodedPacket & { readonly rcode: string };

const ask = (
  message: Buffer,
  { tcp = false, options = [] as readonly string[], sandbox = 's1' } = {},
): Decoded | 'silent' | 'forward' => {
  const out = Buffer.alloc(tcp ? 65535 : 4096);
  const outcome = answer(names(options), sandbox, message, message.length, out, tcp);
  if (typeof outcome !== 'number') return 'forward';
  // dns-packet's types leave out `rcode`, which decode always sets
  return outcome === 0 ? 'silent' : (packet.decode(out.subarray(0, outcome)) as Decoded);
};

const query = (name: string, type: packet.RecordType | 'ANY', more: Partial<packet.Packet> = {}): Buffer =>
  packet.encode({
    type: 'query',
    id: 4711,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type: type as packet.RecordType }],
    ...more,
  });

const edns = (udpPayloadSize: number): Partial<packet.Packet> => ({
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
});

const decoded = (result: ReturnType<typeof ask>): Decoded => {
  if (typeof result === 'string') throw new Error(`no answer but ${result}`);
  return result;
};
const data = (result: ReturnType<typeof ask>): unknown[] =>
  (decoded(result).answers ?? []).map((a) => ('data' in a ? a.data : undefined));

describe('known names', () => {
  test('A, AAAA and ANY, TTL 600, in the case they were asked in', () => {
    const a = decoded(ask(query('WeB', 'A')));
    expect(a).toMatchObject({ id: 4711, rcode: 'NOERROR', flag_ra: true, flag_rd: true, flag_aa: false });
    expect(a.answers).toHaveLength(2);
    expect(a.answers?.[0]).toMatchObject({ name: 'WeB', ttl: 600, class: 'IN', type: 'A' });
    expect(data(ask(query('web', 'A'))).sort()).toEqual(['172.18.0.2', '172.18.0.3']);
    expect(data(ask(query('web', 'AAAA')))).toEqual(['fd00::2']);
    expect(data(ask(query('web', 'ANY')))).toHaveLength(3);
    expect(data(ask(query('web.front', 'A')))).toEqual(['172.18.0.2']);
  });

  test('S6 what says how long it holds is believed', () => {
    for (const { ttl } of (decoded(ask(query('tasks.web', 'A'))).answers ?? []) as { ttl?: number }[])
      expect(ttl).toBe(5);
  });

  test('another type: NOERROR without records, never forwarded', () => {
    for (const type of ['MX', 'TXT', 'NS', 'SOA', 'SRV', 'CAA'] as const)
      expect(decoded(ask(query('web', type)))).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(decoded(ask(query('four', 'AAAA')))).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  test('addresses come in every order', () => {
    const first = new Set(Array.from({ length: 200 }, () => data(ask(query('web', 'A')))[0]));
    expect(first).toEqual(new Set(['172.18.0.2', '172.18.0.3']));
  });

  test('PTR and SRV', () => {
    expect(data(ask(query('2.0.18.172.in-addr.arpa', 'PTR')))).toEqual(['web.front']);
    const reversed = `2${'.0'.repeat(29)}.d.f.ip6.arpa`;
    expect(data(ask(query(reversed, 'PTR')))).toEqual(['web.front']);
    expect(ask(query('9.0.18.172.in-addr.arpa', 'PTR'))).toBe('forward');
    const srv = decoded(ask(query('_http._tcp.web', 'SRV')));
    expect(srv.answers?.[0]).toMatchObject({
      type: 'SRV',
      data: { port: 8080, target: 'web1', priority: 0, weight: 0 },
    });
    expect(srv.additionals?.[0]).toMatchObject({ name: 'web1', type: 'A', data: '172.18.0.2', ttl: 600 });
  });

  test('each sandbox sees its own', () => {
    expect(ask(query('web', 'A'), { sandbox: 's2' })).toBe('forward');
  });
});

describe('sizes', () => {
  test('512 bytes without EDNS: cut, TC set; all of it with EDNS or over TCP', () => {
    const cut = decoded(ask(query('many', 'A')));
    expect(cut.flag_tc).toBe(true);
    expect(cut.answers).toHaveLength(Math.floor((512 - 22) / 16));
    const whole = decoded(ask(query('many', 'A', edns(1232))));
    expect(whole.flag_tc).toBe(false);
    expect(new Set(data(ask(query('many', 'A', edns(1232)))))).toEqual(new Set(many));
    expect(whole.additionals?.[0]).toMatchObject({ type: 'OPT', udpPayloadSize: 4096 });
    expect(data(ask(query('many', 'A'), { tcp: true }))).toHaveLength(60);
  });

  test('an EDNS size below 512 means 512, and the OPT fits too', () => {
    const result = decoded(ask(query('many', 'A', edns(100))));
    expect(result.flag_tc).toBe(true);
    expect(result.answers).toHaveLength(Math.floor((512 - 22 - 11) / 16));
  });

  test('an EDNS version we do not know: BADVERS', () => {
    const message = query('web', 'A', edns(1232));
    message[message.length - 5] = 1;
    const result = decoded(ask(message));
    expect(result.rcode).toBe('NOERROR');
    expect(result.additionals?.[0]).toMatchObject({ type: 'OPT', extendedRcode: 1 });
  });
});

describe('what is no good question', () => {
  const code = (message: Buffer): unknown => {
    const result = ask(message);
    return typeof result === 'string' ? result : [result.id, result.rcode, result.questions?.length];
  };
  const bent = (change: (message: Buffer) => void): Buffer => {
    const message = Buffer.from(query('web', 'A'));
    change(message);
    return message;
  };

  test('no or several questions: FORMERR', () => {
    expect(code(bent((m) => m.writeUInt16BE(0, 4)))).toEqual([4711, 'FORMERR', 0]);
    expect(code(bent((m) => m.writeUInt16BE(2, 4)))).toEqual([4711, 'FORMERR', 0]);
    expect(code(bent((m) => m.writeUInt16BE(1, 6)))).toEqual([4711, 'FORMERR', 0]);
  });
  test('another opcode: NOTIMP', () => {
    expect(code(bent((m) => m.writeUInt16BE(5 << 11, 2)))).toEqual([4711, 'NOTIMP', 0]);
  });
  test('an answer, or less than a header: silence', () => {
    expect(code(bent((m) => m.writeUInt16BE(0x8000, 2)))).toBe('silent');
    expect(code(Buffer.alloc(11))).toBe('silent');
  });
  test('a compressed, cut or endless name: FORMERR', () => {
    expect(code(bent((m) => m.writeUInt16BE(0xc00c, 12)))).toEqual([4711, 'FORMERR', 0]);
    expect(code(query('web', 'A').subarray(0, 15))).toEqual([4711, 'FORMERR', 0]);
    const endless = Buffer.concat([query('web', 'A').subarray(0, 12), Buffer.alloc(300, '\u0001a')]);
    expect(code(endless)).toEqual([4711, 'FORMERR', 0]);
  });
  test('a dot inside a label is not the dot between labels', () => {
    const message = bent(() => {});
    const tricky = Buffer.concat([message.subarray(0, 12), Buffer.from('\tweb.front\0\0\x01\0\x01')]);
    expect(ask(tricky)).toBe('forward');
    expect(parseQuery(tricky)).toMatchObject({ name: 'web\\046front' });
  });
});

describe('what others must answer', () => {
  test('unknown names, other classes, the root', () => {
    expect(ask(query('example.com', 'A'))).toBe('forward');
    expect(ask(query('web', 'A', { questions: [{ name: 'web', type: 'A', class: 'CH' }] }))).toBe('forward');
    expect(ask(query('.', 'NS'))).toBe('forward');
  });
  test('with ndots above 0 a bare name is the client’s business', () => {
    expect(decoded(ask(query('nowhere', 'A'), { options: ['ndots:2'] }))).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
    });
    expect(ask(query('nowhere', 'A'), { options: ['ndots:0'] })).toBe('forward');
    expect(ask(query('nowhere', 'MX'), { options: ['ndots:2'] })).toBe('forward');
    expect(ask(query('no.where', 'A'), { options: ['ndots:2'] })).toBe('forward');
  });
});

describe('upstream answers', () => {
  const asked = query('example.com', 'A');
  const end = asked.length;
  const reply = (change: Partial<packet.Packet> = {}): Buffer =>
    packet.encode({ type: 'response', id: 7, questions: [{ name: 'example.com', type: 'A' }], ...change });

  test('must repeat id and question; case may differ', () => {
    expect(isReply(reply(), asked, end, 7)).toBe(true);
    expect(isReply(reply({ questions: [{ name: 'EXAMPLE.com', type: 'A' }] }), asked, end, 7)).toBe(true);
    expect(isReply(reply(), asked, end, 8)).toBe(false);
    expect(isReply(reply({ type: 'query' }), asked, end, 7)).toBe(false);
    expect(isReply(reply({ questions: [{ name: 'evil.com', type: 'A' }] }), asked, end, 7)).toBe(false);
    expect(isReply(reply({ questions: [{ name: 'example.com', type: 'AAAA' }] }), asked, end, 7)).toBe(false);
    expect(isReply(reply({ questions: [] }), asked, end, 7)).toBe(false);
    expect(isReply(reply({ questions: [], flags: 5 }), asked, end, 7)).toBe(true);
  });
});

test.each([
  ['4.3.2.1.in-addr.arpa', '1.2.3.4'],
  ['04.3.2.1.in-addr.arpa', undefined],
  ['256.3.2.1.in-addr.arpa', undefined],
  ['3.2.1.in-addr.arpa', undefined],
  ['5.4.3.2.1.in-addr.arpa', undefined],
  [`1${'.0'.repeat(31)}.ip6.arpa`, '::1'],
  [`g${'.0'.repeat(31)}.ip6.arpa`, undefined],
  ['in-addr.arpa', undefined],
  ['example.com', undefined],
])('reverse name %s is %s', (name, address) => {
  expect(reversedAddress(name)).toBe(address);
});

import { describe, expect, test } from 'vitest';
import { normaliseExposedPorts, normalisePortBindings } from '../../src/api/validate/ports.js';
import { exposedPorts as exposedByDockerfile } from '../../src/builder/ports.js';
import { parsePort } from '../../src/engine/attach/publish.js';
import {
  codeOf,
  codesOf,
  isCanonical,
  portAt,
  portCode,
  portRange,
  textAt,
} from '../../src/model/port-text.js';

const PROTOCOLS = ['sctp', 'tcp', 'udp'] as const;

describe('texts of ports', () => {
  test('every port of every protocol is read as it was written', () => {
    for (const protocol of PROTOCOLS)
      for (const code of codesOf(protocol, [1, 65_535])) {
        const text = textAt(code);
        if (portCode(text) !== code || !isCanonical(text, code)) expect(text).toBe('read as it was written');
      }
    expect(portAt(codeOf('udp', 53))).toEqual({ protocol: 'udp', port: 53 });
  });
  test.each([
    ['80', '80/tcp'],
    ['80/', '80/tcp'],
    ['80/TCP', '80/tcp'],
    ['0080/tcp', '80/tcp'],
    ['53/Udp', '53/udp'],
    ['9/sctp', '9/sctp'],
  ])('%s is another way to write %s, at the door, in a Dockerfile and at the start', (text, canonical) => {
    const code = portCode(text) ?? 0;
    expect(textAt(code)).toBe(canonical);
    expect(isCanonical(text, code)).toBe(text === canonical);
    expect(Object.keys(normaliseExposedPorts({ [text]: {} }))).toEqual([canonical]);
    expect(exposedByDockerfile(text)).toEqual([canonical]);
    expect(parsePort(text)).toEqual(parsePort(canonical));
  });
  test.each(['', '/tcp', '0/tcp', '65536', 'x', '-1', ' 80', '80/icmp', '80/tcp/udp', '80-81/tcp', '1e3'])(
    '%s is no port',
    (text) => expect(portCode(text)).toBeUndefined(),
  );
  test.each<[string, readonly [number, number] | undefined]>([
    ['80', [80, 80]],
    ['0', [0, 0]],
    ['8000-8010', [8000, 8010]],
    ['0000008080', [8080, 8080]],
    ['8010-8000', undefined],
    ['8000-', undefined],
    ['-8000', undefined],
    ['1-2-3', undefined],
    ['65536', undefined],
    ['', undefined],
  ])('the range of %s', (text, range) => expect(portRange(text)).toEqual(range));
  test('what the door lets in as a host port the start reads as well', () => {
    const sent = { '80/tcp': [{ HostIp: '', HostPort: '0000008080' }] };
    expect(normalisePortBindings(sent)).toBe(sent);
    expect(portRange('0000008080')).toEqual([8080, 8080]);
  });
});

import { describe, expect, it } from 'vitest';
import { requestedAddresses } from '../../src/ipam/requested.js';

describe('addresses asked for an endpoint', () => {
  it('become canonical', () => {
    expect(
      requestedAddresses({ ipv4: '::ffff:10.0.0.9', ipv6: 'FD00::0:9', linkLocal: ['169.254.1.1'] }),
    ).toEqual({
      ipv4: '10.0.0.9',
      ipv6: 'fd00::9',
      linkLocal: ['169.254.1.1'],
    });
    expect(requestedAddresses({ ipv4: '', linkLocal: [] })).toEqual({ linkLocal: [] });
  });

  it.each([
    [{ ipv4: 'fd00::1', linkLocal: [] }, 'invalid IPv4 address: fd00::1'],
    [{ ipv4: '0.0.0.0', linkLocal: [] }, 'invalid IPv4 address: 0.0.0.0'],
    [{ ipv6: '10.0.0.1', linkLocal: [] }, 'invalid IPv6 address: 10.0.0.1'],
    [
      { ipv6: 'fe80::1%eth0', linkLocal: ['x'] },
      '* invalid IPv6 address: fe80::1%eth0\n* invalid link-local IP address: x',
    ],
    // M20
    [{ linkLocal: ['169.253.5.5'] }, 'invalid link local IP address: 169.253.5.5'],
    [{ linkLocal: ['2001:db8::89'] }, 'invalid link local IP address: 2001:db8::89'],
  ])('%j is refused with moby’s words', (asked, message) => {
    expect(() => requestedAddresses(asked)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: `invalid endpoint settings:\n${message}` }),
    );
  });
});

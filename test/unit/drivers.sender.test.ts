/** N F8: whose addresses a container may send with, as its user says. */
import { describe, expect, it } from 'vitest';
import { ADDRESSES, carriedAddresses, checkSender, FORWARDING, forwards } from '../../src/drivers/sender.js';

const carried = (text: string): readonly string[] => carriedAddresses({ [ADDRESSES]: text });

describe('further addresses', () => {
  it('are canonical, and none is within another', () => {
    expect(carried('')).toEqual([]);
    expect(carriedAddresses({})).toEqual([]);
    expect(carried('10.0.0.5, FD00::0:1/128,10.244.1.0/24,10.0.0.5')).toEqual([
      '10.0.0.5',
      '10.244.1.0/24',
      'fd00::1',
    ]);
    expect(carried('10.1.0.0/16,10.0.0.0/8,::/0,10.9.9.9,fd00::/64')).toEqual(['10.0.0.0/8', '::/0']);
  });
  it.each([
    ['web', 'neither an address nor a prefix'],
    ['10.0.0.0/33', 'neither an address nor a prefix'],
    ['10.0.0.1/24', 'has host bits: it should be 10.0.0.0/24'],
    [Array.from({ length: 65 }, (_, i) => `10.0.0.${i}`).join(), 'more than 64'],
    ['1'.repeat(70_000), 'more than 64'],
  ])('%s is refused', (text, message) => {
    expect(() => checkSender({ [ADDRESSES]: text })).toThrow(message);
  });
});

describe('forwarding', () => {
  const asked = (option: string | undefined, sandbox: object): boolean =>
    forwards(
      { driverOptions: option === undefined ? {} : { [FORWARDING]: option } },
      { sysctls: {}, ...sandbox },
    );
  it('is of privileged containers, of those that ask by sysctl, and as the option says', () => {
    expect(asked(undefined, {})).toBe(false);
    expect(asked(undefined, { privileged: true })).toBe(true);
    expect(asked(undefined, { sysctls: { 'net.ipv4.ip_forward': '1' } })).toBe(true);
    expect(asked('true', {})).toBe(true);
    expect(asked('0', { privileged: true })).toBe(false);
    expect(() => checkSender({ [FORWARDING]: 'maybe' })).toThrow(FORWARDING);
  });
});

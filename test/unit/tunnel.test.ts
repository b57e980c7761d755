/** D8: the keys of encrypted networks, the addresses that follow from them, and what is left for containers. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overlay } from '../../src/drivers/overlay/index.js';
import { tunnelKey } from '../../src/kernel/tunnel-key.js';
import { contains, parseAddress, parsePrefix } from '../../src/model/address.js';
import { isTunnelKey, sealedPort, TUNNEL_SUBNET, tunnelAddress } from '../../src/model/tunnel.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vd-key-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Bob's, of RFC 7748, 6.1 */
const PRIVATE = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb';
const PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';

describe('D8: a host’s key', () => {
  it('is made once, is root’s alone to read, and is the same ever after', () => {
    const path = join(directory, 'made');
    const key = tunnelKey(path);
    expect(isTunnelKey(key.publicKey())).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe(`${key.privateKey().toString('base64')}\n`);
    expect(tunnelKey(path).publicKey()).toBe(key.publicKey());
  });

  it('is read as `wg genkey` writes it', () => {
    const path = join(directory, 'given');
    writeFileSync(path, `${Buffer.from(PRIVATE, 'hex').toString('base64')}\n`);
    expect(Buffer.from(tunnelKey(path).publicKey(), 'base64').toString('hex')).toBe(PUBLIC);
  });

  it('is made anew where a power cut left an empty file', () => {
    const path = join(directory, 'empty');
    writeFileSync(path, '');
    const key = tunnelKey(path).publicKey();
    expect(isTunnelKey(key)).toBe(true);
    expect(tunnelKey(path).publicKey()).toBe(key);
  });

  it('is known by its form when others tell it', () => {
    const key = Buffer.from(PUBLIC, 'hex').toString('base64');
    expect(isTunnelKey(key)).toBe(true);
    for (const bad of ['', key.slice(1), `${key}=`, ` ${key}`, key.replace(/.=$/, 'B='), 'a'.repeat(44)])
      expect(isTunnelKey(bad)).toBe(false);
  });
});

describe('D8: addresses inside', () => {
  it('follow from the key, in one subnet, each another', () => {
    const subnet = parsePrefix(TUNNEL_SUBNET);
    const addresses = Array.from({ length: 100 }, (_, n) =>
      tunnelAddress(Buffer.alloc(32, n).toString('base64')),
    );
    expect(new Set(addresses).size).toBe(100);
    for (const text of addresses) {
      const address = parseAddress(text);
      expect(subnet && address && contains(subnet, address)).toBe(true);
    }
    expect(tunnelAddress(Buffer.alloc(32, 1).toString('base64'))).toBe(addresses[1]);
  });
});

describe('D8: what an encrypted network asks the hosts to agree on', () => {
  const wish = (options: Readonly<Record<string, string>>, mtu: number, family: 4 | 6) =>
    overlay.wish?.({ options, internal: false }, { mtu, family });
  const MTU = 'com.docker.network.driver.mtu';

  it('is a port of its own, never the clear ones’, and what its wire leaves', () => {
    expect(wish({ encrypted: '' }, 1500, 4)).toMatchObject({ mtu: 1370, encrypted: true, port: 4790 });
    expect(wish({ encrypted: 'true' }, 1500, 6)).toMatchObject({ mtu: 1350, encrypted: true });
    expect(wish({ encrypted: '' }, 9000, 4)).toMatchObject({ mtu: 1450 });
    expect(wish({ encrypted: 'false' }, 1500, 4)).toEqual({ vnis: [], port: 4789, mtu: 1450, warning: '' });
    expect(sealedPort(4790)).not.toBe(4790);
  });

  it('a larger MTU of the user’s is kept and warned of', () => {
    expect(wish({ encrypted: '', [MTU]: '1400' }, 1500, 4)).toMatchObject({
      mtu: 1400,
      warning: expect.stringContaining('1370 without the 130 of VXLAN in WireGuard'),
    });
    expect(wish({ encrypted: '', [MTU]: '1370' }, 1500, 4)).toMatchObject({ warning: '' });
  });
});

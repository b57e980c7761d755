/** Options of an overlay network, read and checked. Pure. */
import { invalid } from '../../errors.js';
import { shown } from '../../model/address.js';
import { carrierBytes } from '../../model/network.js';
import { sealedPort } from '../../model/tunnel.js';
import type { NetworkOptions, OverlayWish, Wire } from '../contract.js';
import { booleanOption, mtuOption } from '../options.js';

const OVERLAY = 'com.docker.network.driver.overlay';
const LABEL = { vnis: `${OVERLAY}.vxlanid_list`, encrypted: 'encrypted' } as const;

/** VXLAN identifiers have 24 bits; 0 is none (moby's texts call the same bounds). */
const VNI = { least: 1, most: 2 ** 24 - 1 } as const;
/** A list is one for each subnet in Docker. */
const MOST_VNIS = 64;

export interface OverlayOptions {
  /** those of which the network is to have one; empty: whichever is free */
  readonly vnis: readonly number[];
  /** bytes; 0: what the hosts' wire leaves */
  readonly mtu: number;
  readonly encrypted: boolean;
}

const vni = (text: string): number => {
  const number = /^[0-9]{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= VNI.least && number <= VNI.most))
    throw invalid(
      `invalid VXLAN network id ${shown(text)} in ${LABEL.vnis}: it must be between ${VNI.least} and ${VNI.most}`,
    );
  return number;
};

const vnis = (list: string | undefined): readonly number[] => {
  if (!list) return [];
  const texts = list.length > MOST_VNIS * 10 ? [] : list.split(',').map((text) => text.trim());
  if (texts.length === 0 || texts.length > MOST_VNIS)
    throw invalid(`${LABEL.vnis}: more than ${MOST_VNIS} VXLAN network ids`);
  return texts.map(vni);
};

/** Docker reads `--opt encrypted`, without a value, as true. */
const wantsEncryption = (options: NetworkOptions['options']): boolean => {
  const value = options[LABEL.encrypted];
  return value !== undefined && (value === '' || booleanOption(LABEL.encrypted, value));
};

/** Throws invalid for what cannot be read. */
export const readOptions = ({ options }: NetworkOptions): OverlayOptions => ({
  vnis: vnis(options[LABEL.vnis]),
  mtu: mtuOption(options),
  encrypted: wantsEncryption(options),
});

/** Docker's on a wire of 1500 bytes, which is not exceeded where wires differ. */
const USUAL_MTU = 1450;

/** VXLAN's own (RFC 7348); Docker's in a cluster without swarm. */
const PORT = 4789;

/** What containers may send where the hosts' wire carries so much. A user's MTU is kept, and told of where it does not fit. */
export const wish = (request: NetworkOptions, wire: Wire): OverlayWish => {
  const { vnis: asked, mtu, encrypted } = readOptions(request);
  const sealed = encrypted ? { encrypted } : {};
  const carrier = carrierBytes(wire.family, sealed);
  const room = (wire.mtu || 1500) - carrier;
  const warning =
    mtu > room
      ? `an MTU of ${mtu} does not fit: the smallest of the hosts' wires carries ${wire.mtu} bytes, ${room} without the ${carrier} of VXLAN${encrypted ? ' in WireGuard' : ''}: longer packets are lost; leave com.docker.network.driver.mtu out, or raise the wire's`
      : '';
  const port = encrypted ? sealedPort(PORT) : PORT;
  return { vnis: asked, port, mtu: mtu || Math.min(USUAL_MTU, room), ...sealed, warning };
};

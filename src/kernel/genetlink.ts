/** Generic netlink: families of messages that kernel modules bring, each with a number that the kernel gave it when it was loaded. */
import { ENOENT } from '../errno.js';
import { KernelError } from '../errors.js';
import {
  attrStr,
  HEADER,
  hostSocket,
  message,
  NETLINK,
  type NetlinkSocket,
  NLM_F,
  parseAttributes,
} from './netlink.js';

/** `include/uapi/linux/genetlink.h` */
const CONTROLLER = 0x10;
const GET_FAMILY = 3;
const CTRL_ATTR = { FAMILY_ID: 1, FAMILY_NAME: 2 } as const;
/** `struct genlmsghdr`, which attributes begin behind */
export const ATTRIBUTES = HEADER + 4;

export interface GenericRequest {
  /** the family's number */
  readonly family: number;
  readonly command: number;
  readonly version: number;
  readonly flags?: number;
}

export const genericMessage = (
  { family, command, version, flags = 0 }: GenericRequest,
  ...attributes: readonly Buffer[]
): Buffer => message(family, flags, Buffer.from([command, version, 0, 0]), ...attributes);

/** The host's socket for it, opened at first use and kept. */
export const genericSocket = (): NetlinkSocket => hostSocket(NETLINK.GENERIC);

/** Of a module that is loaded; asked anew each time, as a module may be taken out and put in again. Throws KernelError ENOENT. */
export const familyOf = (name: string): number => {
  const operation = `generic netlink family ${name}`;
  const request = genericMessage(
    { family: CONTROLLER, command: GET_FAMILY, version: 1, flags: NLM_F.ACK },
    attrStr(CTRL_ATTR.FAMILY_NAME, name),
  );
  const [reply] = genericSocket().request([request], operation);
  const id = reply && parseAttributes(reply.subarray(ATTRIBUTES)).get(CTRL_ATTR.FAMILY_ID);
  if (!id) throw new KernelError(ENOENT, operation, 'the kernel did not say its number');
  return id.readUInt16LE();
};

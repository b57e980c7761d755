/** What nft keeps with its objects for itself: tag, length, value, as libnftnl lays it out. `value` ≤ 255 bytes. */
export const userdata = (tag: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([tag, value.length]), value]);
export const commentUserdata = (tag: number, text: string): Buffer => userdata(tag, Buffer.from(`${text}\0`));

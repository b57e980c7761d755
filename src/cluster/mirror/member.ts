/** `member/NODE`: a manager's place in etcd. */
import * as z from 'zod';
import type { MemberId } from '../etcd/contract.js';

const schema = z.object({
  /** `host:port` of its door */
  address: z.string(),
  /** etcd's number of it */
  member: z.string().regex(/^\d{1,20}$/),
});

export interface MemberRecord {
  readonly address: string;
  readonly member: MemberId;
}

/** Undefined where it is not in form. */
export const readMember = (value: string): MemberRecord | undefined => {
  const parsed = schema.safeParse(safeJson(value)).data;
  return parsed && { address: parsed.address, member: parsed.member as MemberId }; // decimal digits
};

const safeJson = (value: string): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
};

export const writeMember = (record: MemberRecord): string => JSON.stringify(record);

/** Log lines as `docker logs` gets them. Pure. */
import type { LogLine } from '../../runtime/contract.js';

/**
 * `details` shows the line's attributes (`a=1,b=2`, log-attributes.ts) behind its time; where there are none, their place is kept as
 * in Docker.
 */
export const presentLogLine = (
  line: LogLine,
  form: { readonly timestamps: boolean; readonly details: boolean },
  attributes = '',
): Buffer => {
  const prefix = `${form.timestamps ? `${fixedNanoseconds(line.time)} ` : ''}${form.details ? `${attributes} ` : ''}`;
  return prefix === '' ? line.text : Buffer.concat([Buffer.from(prefix), line.text]);
};

/** RFC 3339 with exactly nine digits, so that every line's text begins in the same column. */
export const fixedNanoseconds = (time: string): string => {
  const found = /^(.{19})(?:\.(\d{1,9})\d*)?(.*)$/.exec(time);
  return found === null ? time : `${found[1]}.${(found[2] ?? '').padEnd(9, '0')}${found[3]}`;
};

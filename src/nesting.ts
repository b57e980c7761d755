/**
 * How deep a JSON text nests, found by one scan before it is parsed: V8 takes 130 to 240 ms for a mebibyte of `[[[…`, some 100 times as
 * long as for the same of anything else, and schemas look at each level.
 */

/** Of what Docker's clients send, and of what nodes and managers say to each other, nothing nests as deep as a quarter of it. */
const DEEPEST = 64;

const [QUOTE, BACKSLASH, ARRAY, OBJECT, ARRAY_END, OBJECT_END] = [
  0x22, 0x5c, 0x5b, 0x7b, 0x5d, 0x7d,
] as const;

/** Index behind the string that begins before `from`; the text's end where it does not end. */
const behindString = (text: Uint8Array, from: number): number => {
  let at = from;
  for (; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
  }
  return at;
};

/** Whether anything in the text, in UTF-8, lies inside more than so many arrays and objects. True or false of what is no JSON, too. */
export const nestsDeeper = (text: Uint8Array, than = DEEPEST): boolean => {
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const byte = text[at];
    at += 1;
    if (byte === QUOTE) at = behindString(text, at);
    else if (byte === ARRAY || byte === OBJECT) {
      depth += 1;
      if (depth > than) return true;
    } else if (byte === ARRAY_END || byte === OBJECT_END) depth -= 1;
  }
  return false;
};

export const TOO_DEEP = `the JSON nests deeper than ${DEEPEST} levels`;

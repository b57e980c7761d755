/** Shell patterns of the `reference` filter, as Go's path.Match reads them: `*` and `?` stop at slashes. */
import { compilePattern } from './pattern.js';

/** Undefined: not a pattern. */
export const compileGlob = (glob: string): ((text: string) => boolean) | undefined => {
  let expression = '';
  for (let i = 0; i < glob.length; i += 1) {
    const char = glob[i] ?? '';
    if (char === '*') expression += '[^/]*';
    else if (char === '?') expression += '[^/]';
    else if (char === '[') {
      const end = glob.indexOf(']', i + 2);
      if (end < 0) return undefined;
      expression += glob.slice(i, end + 1);
      i = end;
    } else if (char === '\\' && i + 1 < glob.length) {
      i += 1;
      expression += quote(glob[i] ?? '');
    } else expression += quote(char);
  }
  return compilePattern(`^${expression}$`);
};

const quote = (char: string): string => (/^[\w/ -]$/.test(char) ? char : `\\${char}`);

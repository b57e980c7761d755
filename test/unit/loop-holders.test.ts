/** I10: calls that may hold the loop for as long as others please are made in a thread or not at all; ADR 20 argues the exceptions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sourcesBelow } from '../support/imports.js';

const src = fileURLToPath(new URL('../../src', import.meta.url));

const CALLS: readonly {
  readonly what: string;
  readonly call: RegExp;
  readonly sample: string;
  /** with the reasons */
  readonly except: Readonly<Record<string, string>>;
}[] = [
  {
    what: 'mounts or unmounts',
    call: /\bffi\.u?mount\(/,
    sample: "ffi.umount('/x');",
    except: {
      'kernel/netns.ts': 'a namespace is bound and unbound within its plan, which is one stretch',
      'images/writable.ts':
        'the working directory, to which the names of many layers are relative, is everybody’s',
    },
  },
  {
    what: 'forks',
    call: /['"]node:child_process['"]/,
    sample: "import { spawn } from 'node:child_process';",
    except: {},
  },
  {
    what: 'waits for a child',
    call: /\bffi\.waitpid\(/,
    sample: 'ffi.waitpid(pid);',
    except: { 'kernel/nftables/keeper.ts': 'it was killed, and has nothing to finish' },
  },
];

test.each(CALLS)('nobody $what on the loop', ({ call, sample, except }) => {
  expect(sample).toMatch(call);
  const found = sourcesBelow(src).filter((path) => call.test(readFileSync(join(src, path), 'utf8')));
  expect(found).toEqual(Object.keys(except).toSorted());
});

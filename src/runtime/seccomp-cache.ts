/**
 * Compiled seccomp filters: compiling costs the runtime 20 ms a start, so crun's `seccomp.bpf` of the first container
 * with a profile is kept and handed back to the next ones by annotation. Keyed by profile and runtime version.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../errors.js';
import { replaceFile } from '../small-files.js';
import type { Layout } from './layout.js';
import type { OciSeccomp } from './spec/oci.js';

const ANNOTATION = 'run.oci.seccomp_bpf_data';

interface SeccompForm {
  readonly filter?: OciSeccomp;
  readonly annotations: Readonly<Record<string, string>>;
  /** name under which the compiled filter is to be kept once the container was created */
  readonly keepAs?: string;
}

export interface SeccompCache {
  form(filter: OciSeccomp | undefined): SeccompForm;
  keep(name: string, id: string): void;
}

export const seccompCache = (layout: Layout, runtime: { name: string; version: string }): SeccompCache => {
  const compiled = new Map<string, string>();
  const digests = new WeakMap<OciSeccomp, string>();

  const nameOf = (filter: OciSeccomp): string => {
    const known = digests.get(filter);
    if (known) return known;
    const name = createHash('sha256')
      .update(`${runtime.name} ${runtime.version} ${JSON.stringify(filter)}`)
      .digest('hex');
    digests.set(filter, name);
    return name;
  };

  const load = (name: string): string | undefined => {
    const known = compiled.get(name);
    if (known) return known;
    const text = attempt(() => readFileSync(join(layout.filters, name), 'latin1'));
    if (text !== undefined) compiled.set(name, text);
    return text;
  };

  return {
    form: (filter) => {
      if (!filter) return { annotations: {} };
      // Flags and notify actions are read from the profile itself; only crun knows the annotation.
      if (runtime.name !== 'crun' || filter.flags?.length) return { filter, annotations: {} };
      const name = nameOf(filter);
      const text = load(name);
      return text ? { annotations: { [ANNOTATION]: text } } : { filter, annotations: {}, keepAs: name };
    },
    // Where the runtime is of a version that keeps no file, the profile is compiled anew each time.
    keep: (name, id) =>
      attempt(() => {
        const text = readFileSync(join(layout.states, id, 'seccomp.bpf')).toString('base64');
        if (text === '') return;
        replaceFile(join(layout.filters, name), text);
        compiled.set(name, text);
      }),
  };
};

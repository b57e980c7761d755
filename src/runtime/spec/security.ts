/** `--security-opt` texts, read once into a plain value. */
import { invalid } from '../../errors.js';

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `''`: the default; `unconfined`; or a profile's JSON text */
  readonly seccomp: string;
  /** `''`: none asked for */
  readonly apparmor: string;
  /** `systempaths=unconfined`: nothing masked or read-only under /proc and /sys */
  readonly systemPathsUnconfined: boolean;
}

const BOOLEAN: Readonly<Record<string, boolean>> = {
  '': true,
  true: true,
  '1': true,
  false: false,
  '0': false,
};

/** Throws invalid on what Docker refuses: `invalid --security-opt 2: …`. */
export const parseSecurityOptions = (options: readonly string[]): SecurityOptions => {
  let result: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: '',
    apparmor: '',
    systemPathsUnconfined: false,
  };
  for (const option of options) {
    const match = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(option);
    const key = match?.[1];
    const value = match?.[2] ?? '';
    if (key === 'no-new-privileges' && Object.hasOwn(BOOLEAN, value))
      result = { ...result, noNewPrivileges: BOOLEAN[value] ?? true };
    else if (key === 'seccomp' && value !== '') result = { ...result, seccomp: value };
    else if (key === 'apparmor') result = { ...result, apparmor: value };
    else if (key === 'systempaths' && value === 'unconfined')
      result = { ...result, systemPathsUnconfined: true };
    else if (key !== 'label' && option !== 'disable' && key !== 'writable-cgroups')
      throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
  }
  return result;
};

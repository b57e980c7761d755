/** Seccomp profiles in Docker's form (conditions on capability, architecture, kernel), resolved to the OCI form. */
import type * as z from 'zod';
import { invalid, messageOf } from '../../errors.js';
import type { OciSeccomp, OciSeccompRule } from './oci.js';
import { DEFAULT_SECCOMP } from './seccomp-default.js';
import { profileSchema } from './seccomp-profile.js';

type Profile = z.infer<typeof profileSchema>;
type Rule = NonNullable<Profile['syscalls']>[number];

/** What a profile's conditions are about. */
export interface SeccompSubject {
  /** Go's name of the architecture: `amd64`, `arm64` */
  readonly arch: string;
  /** release, major and minor */
  readonly kernel: readonly [number, number];
  readonly capabilities: readonly string[];
}

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

const atLeast = (kernel: readonly [number, number], wanted: string): boolean => {
  const [major = 0, minor = 0] = wanted.split('.').map(Number);
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
};

/** All conditions of `includes` hold and none of `excludes` does. */
const applies = (rule: Rule, subject: SeccompSubject): boolean => {
  const { includes, excludes } = rule;
  if (includes?.arches?.length && !includes.arches.includes(subject.arch)) return false;
  if (includes?.caps?.length && !includes.caps.every((name) => subject.capabilities.includes(name)))
    return false;
  if (includes?.minKernel && !atLeast(subject.kernel, includes.minKernel)) return false;
  if (excludes?.arches?.includes(subject.arch)) return false;
  if (excludes?.caps?.some((name) => subject.capabilities.includes(name))) return false;
  return !(excludes?.minKernel && atLeast(subject.kernel, excludes.minKernel));
};

const toOciRule = (rule: Rule): OciSeccompRule => ({
  names: rule.names?.length ? rule.names : [rule.name ?? ''],
  action: rule.action,
  ...(rule.errnoRet == null ? {} : { errnoRet: rule.errnoRet }),
  ...(rule.args?.length
    ? { args: rule.args.map(({ valueTwo, ...rest }) => ({ ...rest, valueTwo: valueTwo ?? 0 })) }
    : {}),
});

const parsed = (text: string): Profile => {
  try {
    return profileSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw invalid(`opening seccomp profile failed: ${messageOf(cause)}`, cause);
  }
};

/** `profile`: `''` or `builtin` for the default, `unconfined` for none, else JSON text. Undefined: no filter. */
export const resolveSeccomp = (profile: string, subject: SeccompSubject): OciSeccomp | undefined => {
  if (profile === 'unconfined') return undefined;
  if (profile !== '' && profile !== 'builtin') return resolved(parsed(profile), subject);
  // Nearly every container has it, with one of few sets of capabilities: 0.7 ms saved a start.
  const key = `${subject.arch} ${subject.kernel.join('.')} ${subject.capabilities.join(' ')}`;
  const filter = defaults.get(key) ?? resolved(profileSchema.parse(DEFAULT_SECCOMP), subject);
  if (defaults.size >= MOST_DEFAULTS) defaults.clear();
  defaults.set(key, filter);
  return filter;
};

const MOST_DEFAULTS = 32;
const defaults = new Map<string, OciSeccomp>();

const resolved = (source: Profile, subject: SeccompSubject): OciSeccomp => {
  return {
    defaultAction: source.defaultAction,
    ...(source.defaultErrnoRet == null ? {} : { defaultErrnoRet: source.defaultErrnoRet }),
    ...(source.flags?.length ? { flags: source.flags } : {}),
    architectures: ARCHITECTURES[subject.arch] ?? [],
    syscalls: (source.syscalls ?? []).filter((rule) => applies(rule, subject)).map(toOciRule),
  };
};

/** `linux/amd64`, `arm64`, `linux/arm/v7` as words for a platform. Pure. */
import { invalid } from '../errors.js';

const SYSTEMS = ['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'solaris', 'aix', 'wasip1'];
const ARCHITECTURES: Readonly<Record<string, string>> = {
  '386': '386',
  i386: '386',
  amd64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  arm: 'arm',
  armhf: 'arm',
  armel: 'arm',
  arm64: 'arm64',
  aarch64: 'arm64',
  loong64: 'loong64',
  mips64le: 'mips64le',
  ppc64le: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm: 'wasm',
};

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** `own`: what is not said. Throws invalid. */
export const parsePlatform = (text: string, own: Platform): Platform => {
  const parts = text.toLowerCase().split('/');
  const broken = () =>
    invalid(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`);
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part))) throw broken();
  const [first = '', second] = parts;
  const architecture = (name: string): string => {
    const known = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
    if (known === undefined) throw broken();
    return known;
  };
  if (second !== undefined) {
    if (!SYSTEMS.includes(first)) throw broken();
    return { os: first, architecture: architecture(second) };
  }
  if (SYSTEMS.includes(first)) return { os: first, architecture: own.architecture };
  return { os: own.os, architecture: architecture(first) };
};

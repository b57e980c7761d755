/** What a container sees as its files, as plain data. */

export interface FileMount {
  /** absolute path in the container, normalised */
  readonly destination: string;
  /** directory or file of the host */
  readonly source: string;
  /** below the source: a directory of a volume, found without leaving it; absent: the source itself */
  readonly subpath?: string;
  readonly readOnly: boolean;
}

/**
 * A root and what is mounted in it, whether it is mounted or not: the same for a container that runs, that ended, that was
 * never started. Paths are followed by `files/view.ts`, never by the kernel.
 */
export interface FileView {
  /** of the container, as refusals name it */
  readonly name: string;
  /** directory of the host */
  readonly root: string;
  readonly readOnly: boolean;
  readonly mounts: readonly FileMount[];
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits, as Docker's X-Docker-Container-Path-Stat has them */
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface ExtractOptions {
  /** refuse to replace a directory by a file, or a file by a directory */
  readonly noOverwriteDirNonDir: boolean;
  /** whose everything becomes; absent: as the archive says */
  readonly owner?: Owner;
}

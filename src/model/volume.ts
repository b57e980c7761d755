/** Volumes of the local driver, as they are recorded and shown. */
export interface Volume {
  readonly name: string;
  readonly driver: 'local';
  /** absolute path of the directory that is mounted */
  readonly mountpoint: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
}

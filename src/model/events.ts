/** Events as `docker events` shows them. */
export interface EngineEvent {
  readonly type:
    | 'container'
    | 'network'
    | 'image'
    | 'volume'
    | 'daemon'
    | 'node'
    | 'service'
    | 'secret'
    | 'config';
  /** of the whole cluster; where not said, of this host */
  readonly scope?: 'local' | 'swarm';
  readonly action: string;
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> };
  /** nanoseconds since the epoch */
  readonly timeNano: bigint;
}

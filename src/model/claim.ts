/**
 * What is held for somebody of whom no record says it yet, or any more: what was chosen while plugins are asked about it,
 * addresses of containers that run and that no record knows. In memory alone: of what a former daemon was in the middle of
 * nobody is in the middle now.
 */
export interface TakenAddress {
  /** the network's id; empty: on whichever network */
  readonly networkId: string;
  /** bare */
  readonly address: string;
}

export interface Claim {
  readonly id: string;
  /** of a network that is being made */
  readonly name?: string;
  /** CIDRs, of our own address space */
  readonly subnets?: readonly string[];
  readonly addresses?: readonly TakenAddress[];
}

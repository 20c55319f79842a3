/** What others ask of the state tree; answers are about accepted versions and do not change. */
import type { Bytes } from '../common/bytes.ts';
import { verifyAbsence, verifyExistence, type LeafProof } from '../protocol/stateTree.ts';

/** The tree after a block (spec: merkle-tree 3). */
export interface StateTreeVersion {
  readonly root: Bytes;
  /** Guards included. */
  readonly leafCount: number;
}

/** Whether the tree holds a key (spec: merkle-tree 6); checked by `verifyKeyProof`. */
export type KeyProof =
  | { readonly kind: 'present'; readonly leaf: LeafProof }
  | { readonly kind: 'absent'; readonly predecessor: LeafProof; readonly successor: LeafProof };

/** Of the keys in the order asked for. */
export interface StateTreeProofs extends StateTreeVersion {
  readonly proofs: readonly KeyProof[];
}

export interface MerkleTreeReader {
  /** Root and leaf count after a block; undefined: not applied yet. */
  version(block: number): Promise<StateTreeVersion | undefined>;
  /**
   * Proofs about keys in the tree after a block; undefined: not applied yet. Throws STATE_TREE_RESERVED_KEY, or STORE_DAMAGED
   * when the stored tree contradicts itself.
   */
  proof(keys: readonly Bytes[], block: number): Promise<StateTreeProofs | undefined>;
  /** The leaf at an index, which may lie past the end, in the tree after a block; undefined: not applied yet. */
  leafProof(index: number, block: number): Promise<LeafProof | undefined>;
}

/** Whether the proof shows, against this root, what it says about the key. */
export function verifyKeyProof(root: Bytes, key: Bytes, proof: KeyProof): boolean {
  return proof.kind === 'present' ? verifyExistence(root, key, proof.leaf) : verifyAbsence(root, key, proof);
}

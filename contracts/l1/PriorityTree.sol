// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Append-only Merkle tree of canonical hashes that doubles when it is full. Every root it ever had stays known.
library PriorityTree {
    bytes32 private constant EMPTY_LEAF = keccak256("");

    struct Tree {
        uint256 count;
        /// Operations that executed batches took.
        uint256 unprocessedIndex;
        bytes32 root;
        /// By level, the left sibling that waits for its right one.
        bytes32[] sides;
        /// By level, the root of an empty subtree.
        bytes32[] zeros;
        mapping(bytes32 root => bool) isHistorical;
    }

    /// Of a new chain: no leaves, and the zero root is a known one.
    function initialize(Tree storage self) internal {
        self.zeros.push(EMPTY_LEAF);
        self.isHistorical[bytes32(0)] = true;
    }

    function push(Tree storage self, bytes32 leaf) internal {
        uint256 index = self.count;
        uint256 levels = self.sides.length;
        if (index == 1 << levels) {
            self.sides.push(self.root);
            self.zeros.push(node(self.zeros[levels], self.zeros[levels]));
            levels += 1;
        }
        bytes32 hash = leaf;
        bool isStored = false;
        for (uint256 level = 0; level < levels; level++) {
            if ((index >> level) & 1 == 1) {
                hash = node(self.sides[level], hash);
            } else {
                if (!isStored) {
                    self.sides[level] = hash;
                    isStored = true;
                }
                hash = node(hash, self.zeros[level]);
            }
        }
        self.root = hash;
        self.count = index + 1;
        self.isHistorical[hash] = true;
    }

    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(left, right));
    }
}

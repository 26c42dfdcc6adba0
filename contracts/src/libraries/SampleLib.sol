// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title SampleLib
/// @notice Which shards of a task a member is to execute, from its secret: `protocol/sampling.py`, place for place.
library SampleLib {
    uint256 internal constant WINDOW = 4_096;
    uint256 internal constant PPM = 1_000_000;
    /// @notice Bytes of a seed: those of a signature.
    uint256 internal constant SEED_BYTES = 65;

    /// @dev "place/", the seed, and the place in 8 bytes.
    uint256 private constant RANKED_BYTES = 79;

    /// @notice What binds a member to its seed before it is used.
    function commitment(bytes memory seed) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("ProofOfTraining/sample/3/commitment/", seed));
    }

    /// @notice Whether the sample of `seed` holds a shard of round 1..`rounds`. At most WINDOW steps.
    function holds(
        bytes memory seed,
        uint256 rounds,
        uint256 shards,
        uint256 sharePpm,
        uint256 round,
        uint256 shard
    ) internal view returns (bool) {
        uint256 total = rounds * shards;
        uint256 place = word(abi.encodePacked("offset/", seed)) % total;
        place = (place + (round - 1) * shards + shard) % total;
        uint256 number = place / WINDOW;
        uint256 first = number * WINDOW;
        uint256 end = first + WINDOW < total ? first + WINDOW : total;
        return countBefore(seed, place, first, end) < quota(seed, (end - first) * sharePpm, number);
    }

    /// @notice How many places of window `number` are in the sample: `wantedPpm` millionths of one on average. What is not
    /// whole is decided by the seed.
    function quota(bytes memory seed, uint256 wantedPpm, uint256 number) internal pure returns (uint256) {
        bool oneMore = word(abi.encodePacked("quota/", seed, uint64(number))) % PPM < wantedPpm % PPM;
        return wantedPpm / PPM + (oneMore ? 1 : 0);
    }

    /// @dev 16 bytes of a hash.
    function word(bytes memory data) private pure returns (uint256) {
        return uint256(sha256(data)) >> 128;
    }

    /// @dev How many places of the window rank before `place`.
    function countBefore(bytes memory seed, uint256 place, uint256 first, uint256 end)
        private
        view
        returns (uint256 count)
    {
        bytes memory ranked = abi.encodePacked("place/", seed, uint64(place));
        assembly ("memory-safe") {
            // Hashes the buffer for one place; the precompile is always there.
            function rank(buffer, at) -> hash {
                let last := add(buffer, RANKED_BYTES)
                mstore(last, or(shl(64, shr(64, mload(last))), at))
                if iszero(staticcall(gas(), 2, add(buffer, 0x20), RANKED_BYTES, 0, 0x20)) {
                    revert(0, 0)
                }
                hash := mload(0)
            }
            let own := rank(ranked, place)
            for { let at := first } lt(at, end) { at := add(at, 1) } {
                count := add(count, lt(rank(ranked, at), own))
            }
        }
    }
}

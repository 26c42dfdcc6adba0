// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {Test} from "../utils/Test.sol";

contract DrawLibTest is Test {
    function testFuzz_sample__anyStakes__drawsDistinctMembersAscending(bytes32 seed, uint8 count, uint8 size)
        public
        pure
    {
        uint256 n = bound(count, 1, 64);
        uint256[] memory words = pool(n, uint256(seed));
        uint256[] memory drawn = DrawLib.sample(pool(n, uint256(seed)), seed, bound(size, 0, n));
        for (uint256 i = 0; i < drawn.length; ++i) {
            assertTrue(i == 0 || drawn[i - 1] < drawn[i], "ascending");
            assertTrue(contains(words, drawn[i]), "from the pool");
        }
    }

    function testFuzz_sample__everybody__isEverybody(bytes32 seed) public pure {
        uint256[] memory drawn = DrawLib.sample(pool(16, 7), seed, 16);
        assertEq(keccak256(abi.encode(drawn)), keccak256(abi.encode(pool(16, 7))), "all");
    }

    /// @dev With one unit of stake each, the ticket is the number of the member: the first one that is no longer below.
    function testFuzz_sample__oneUnitEach__ticketIsTheMember(bytes32 seed, uint8 count) public pure {
        uint256 n = bound(count, 1, 64);
        uint256[] memory words = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            words[i] = MembersLib.word(address(uint160(i)), 1);
        }
        uint256 ticket = uint256(keccak256(abi.encode(seed, 0))) % n;
        uint256[] memory drawn = DrawLib.sample(words, seed, 1);
        assertEq(uint160(MembersLib.accountOf(drawn[0])), ticket, "member");
    }

    /// @dev Of 4,000 draws of 1 of 4, each stake share is met within 3 in 100.
    function test_sample__manySeeds__followTheStake() public pure {
        uint256[] memory hits = new uint256[](4);
        for (uint256 k = 0; k < 4_000; ++k) {
            uint256[] memory words = new uint256[](4);
            for (uint256 i = 0; i < 4; ++i) {
                words[i] = MembersLib.word(address(uint160(i + 1)), (i + 1) * 1e18);
            }
            uint256[] memory drawn = DrawLib.sample(words, keccak256(abi.encode(k)), 1);
            ++hits[uint160(MembersLib.accountOf(drawn[0])) - 1];
        }
        for (uint256 i = 0; i < 4; ++i) {
            uint256 expected = 400 * (i + 1);
            uint256 off = hits[i] > expected ? hits[i] - expected : expected - hits[i];
            assertAtMost(off, 120, "share of the stake");
        }
    }

    function testFuzz_court__enoughOutsiders__holdsNoMemberOfTheCommittee(bytes32 seed, uint8 count, uint8 n)
        public
        pure
    {
        uint256 inside = bound(n, 4, 16);
        uint256 all = bound(count, 3 * inside - 1, 64);
        uint256[] memory drawn = court(seed, all, inside, 2 * inside - 1);
        assertEq(drawn.length, 2 * inside - 1, "larger than the committee");
        for (uint256 i = 0; i < drawn.length; ++i) {
            assertTrue(uint160(MembersLib.accountOf(drawn[i])) > inside, "outside");
            assertTrue(i == 0 || drawn[i - 1] < drawn[i], "ascending");
        }
    }

    function testFuzz_court__fewOutsiders__holdsAllOfThemAndIsFilledUp(bytes32 seed, uint8 more, uint8 n)
        public
        pure
    {
        uint256 inside = bound(n, 4, 16);
        uint256 outside = bound(more, 0, 2 * inside - 2);
        uint256[] memory drawn = court(seed, inside + outside, inside, 2 * inside - 1);
        uint256 size = 2 * inside - 1;
        assertEq(drawn.length, inside + outside < size ? inside + outside : size, "size");
        uint256 found = 0;
        for (uint256 i = 0; i < drawn.length; ++i) {
            if (uint160(MembersLib.accountOf(drawn[i])) > inside) ++found;
        }
        assertEq(found, outside, "every outsider");
    }

    /// @dev Members 1..inside are the committee, the others are not.
    function court(bytes32 seed, uint256 all, uint256 inside, uint256 size)
        private
        pure
        returns (uint256[] memory)
    {
        bytes memory packed;
        uint256[] memory words = new uint256[](all);
        for (uint256 i = 0; i < all; ++i) {
            words[i] = MembersLib.word(address(uint160(i + 1)), 1e18 + i);
            if (i < inside) packed = abi.encodePacked(packed, words[i]);
        }
        return DrawLib.court(words, packed, seed, size);
    }

    function pool(uint256 n, uint256 seed) private pure returns (uint256[] memory words) {
        words = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 stake = 1 + uint256(keccak256(abi.encode(seed, i))) % 1e24;
            words[i] = MembersLib.word(address(uint160(1 + i * 1e6)), stake);
        }
    }

    function contains(uint256[] memory words, uint256 word) private pure returns (bool) {
        for (uint256 i = 0; i < words.length; ++i) {
            if (words[i] == word) return true;
        }
        return false;
    }
}

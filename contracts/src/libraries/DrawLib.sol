// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";

import {MembersLib} from "./MembersLib.sol";

/// @title DrawLib
/// @notice Draws members by stake, without replacement, from a seed. Pure, so that anybody can repeat a draw.
library DrawLib {
    /// @notice Draws `size` <= `words.length` of `words` and returns them ascending. Each draw takes a member with the
    /// probability of its share in what is left; the bias of the remainder is below 2**-150. Uses up `words`.
    /// @dev At most 64 * 64 / 2 steps. The place of a drawn member is filled with the last one.
    function sample(uint256[] memory words, bytes32 seed, uint256 size)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        uint256 left = words.length;
        uint256 total = 0;
        for (uint256 i = 0; i < left; ++i) {
            total += MembersLib.stakeOf(words[i]);
        }
        drawn = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 ticket = uint256(keccak256(abi.encode(seed, i))) % total;
            uint256 j = 0;
            uint256 stake = MembersLib.stakeOf(words[0]);
            while (ticket >= stake) {
                ticket -= stake;
                stake = MembersLib.stakeOf(words[++j]);
            }
            drawn[i] = words[j];
            total -= stake;
            words[j] = words[--left];
        }
        Arrays.sort(drawn);
    }

    /// @notice Splits `words` into those outside and those inside the list of addresses `packed`, in their order.
    function split(uint256[] memory words, bytes memory packed)
        internal
        pure
        returns (uint256[] memory outside, uint256[] memory inside)
    {
        uint256 n = MembersLib.count(packed);
        (outside, inside) = (new uint256[](words.length), new uint256[](words.length));
        uint256 out = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            bool isOutside = MembersLib.indexOf(packed, MembersLib.accountOf(words[i])) == n;
            if (isOutside) outside[out++] = words[i];
            else inside[i - out] = words[i];
        }
        uint256 ins = words.length - out;
        assembly ("memory-safe") {
            mstore(outside, out)
            mstore(inside, ins)
        }
    }

    /// @notice Draws a court of `size` members from those outside the task's committee, if they are enough; otherwise all
    /// of them, filled up from the inside. A smaller court of outsiders alone could be theirs whose stake was not drawn: of
    /// 11 validators with 3 bad ones, a good committee of 7 leaves 4.
    function court(uint256[] memory words, bytes memory taskMembers, bytes32 seed, uint256 size)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        (uint256[] memory outside, uint256[] memory inside) = split(words, taskMembers);
        if (outside.length >= size) return sample(outside, seed, size);
        uint256 needed = size < words.length ? size - outside.length : inside.length;
        uint256[] memory fill = sample(inside, seed, needed);
        drawn = new uint256[](outside.length + needed);
        for (uint256 i = 0; i < drawn.length; ++i) {
            drawn[i] = i < outside.length ? outside[i] : fill[i - outside.length];
        }
        Arrays.sort(drawn);
    }
}

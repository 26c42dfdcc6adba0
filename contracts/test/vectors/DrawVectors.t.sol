// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `tests/vectors/draw.json`, which pytest reads too: whoever repeats a draw gets the contract's members.
contract DrawVectorsTest is MarketFixture {
    function test_draw__sharedVectors__hasTheSameMembers() public view {
        string memory json = vm.readFile("../tests/vectors/draw.json");
        uint256 count = 0;
        for (string memory at = entry(0); vm.keyExistsJson(json, at); at = entry(++count)) {
            assertEq(keccak256(abi.encode(drawn(json, at))), keccak256(abi.encode(expected(json, at))), at);
        }
        assertTrue(count >= 7, "there are draws");
    }

    function drawn(string memory json, string memory at) private pure returns (address[] memory) {
        uint256 taskId = vm.parseJsonUint(json, string.concat(at, ".task_id"));
        uint256 dispute = vm.parseJsonUint(json, string.concat(at, ".dispute"));
        uint256 size = vm.parseJsonUint(json, string.concat(at, ".size"));
        bytes32 source = vm.parseJsonBytes32(json, string.concat(at, ".source"));
        bytes32 seed = keccak256(abi.encode(source, taskId, dispute));
        uint256[] memory words = snapshot(json, at);
        if (dispute == 0) return MembersLib.accounts(DrawLib.sample(words, seed, size));
        bytes memory packed;
        address[] memory committee_ = vm.parseJsonAddressArray(json, string.concat(at, ".committee"));
        for (uint256 i = 0; i < committee_.length; ++i) {
            packed = abi.encodePacked(packed, MembersLib.word(committee_[i], 1));
        }
        return MembersLib.accounts(DrawLib.court(words, packed, seed, size));
    }

    function snapshot(string memory json, string memory at) private pure returns (uint256[] memory words) {
        address[] memory accounts = vm.parseJsonAddressArray(json, string.concat(at, ".accounts"));
        words = new uint256[](accounts.length);
        for (uint256 i = 0; i < words.length; ++i) {
            string memory place = string.concat(at, ".stakes[", vm.toString(i), "]");
            words[i] = MembersLib.word(accounts[i], vm.parseJsonUint(json, place));
        }
    }

    function expected(string memory json, string memory at) private pure returns (address[] memory) {
        return vm.parseJsonAddressArray(json, string.concat(at, ".drawn"));
    }

    function entry(uint256 index) private pure returns (string memory) {
        return string.concat(".draws[", vm.toString(index), "]");
    }
}

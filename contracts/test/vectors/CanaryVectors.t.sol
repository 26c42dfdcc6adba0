// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LeafLib} from "../../src/libraries/LeafLib.sol";
import {MarkLib} from "../../src/libraries/MarkLib.sol";
import {SampleLib} from "../../src/libraries/SampleLib.sol";
import {BlobTail} from "../../src/types/Canary.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `tests/vectors/canary.json`: marks, tails, samples and statements are the same in Python and on the chain.
contract CanaryVectorsTest is MarketFixture {
    function test_canary__sharedVectors__areMarkedAndPlanted() public view {
        string memory json = vm.readFile("../tests/vectors/canary.json");
        for (uint256 i = 0; i < 2; ++i) {
            string memory name = string.concat(".canaries[", vm.toString(i), "]");
            checkMark(json, name);
            bytes32[] memory proof = vm.parseJsonBytes32Array(json, string.concat(name, ".proof"));
            bytes32 leaf = keccak256(
                bytes.concat(
                    keccak256(
                        abi.encode(
                            vm.parseJsonAddress(json, string.concat(name, ".miner")),
                            vm.parseJsonBytes32(json, string.concat(name, ".miner_salt"))
                        )
                    )
                )
            );
            bytes32 root = vm.parseJsonBytes32(json, string.concat(name, ".root"));
            assertEq(this.rootOf(leaf, proof), root, "root");
        }
    }

    function test_prepare__sharedVector__hasTheSameDigest() public view {
        string memory json = vm.readFile("../tests/vectors/canary.json");
        bytes32 digest = sha256(
            abi.encodePacked(
                "ProofOfTraining/PBFT/1",
                vm.parseJsonBytes32(json, ".canaries[0].domain_separator"),
                uint256(7),
                uint8(2),
                uint64(3),
                uint64(4),
                vm.parseJsonBytes32(json, ".canaries[0].value_digest"),
                vm.parseJsonAddress(json, ".canaries[0].member")
            )
        );
        assertEq(digest, vm.parseJsonBytes32(json, ".canaries[0].prepare_digest"), "digest");
    }

    function test_sample__sharedVectors__holdsTheSameShards() public view {
        string memory json = vm.readFile("../tests/vectors/canary.json");
        uint256 looked = 0;
        uint256 quotas = 0;
        for (uint256 i = 0; i < 6; ++i) {
            string memory name = string.concat(".samples[", vm.toString(i), "]");
            looked += checkSample(json, name);
            quotas += checkQuotas(json, name);
        }
        assertTrue(looked > 90, "there are shards");
        assertTrue(quotas == 6 * 24, "there are quotas");
    }

    function rootOf(bytes32 leaf, bytes32[] calldata proof) external pure returns (bytes32) {
        return LeafLib.rootOf(leaf, proof);
    }

    function requireMark(bytes32 gradient, uint128 mark, BlobTail calldata tail) external pure {
        MarkLib.requireMark(gradient, mark, tail);
    }

    function checkMark(string memory json, string memory name) private view {
        uint128 mark = MarkLib.mark(
            vm.parseJsonBytes32(json, string.concat(name, ".salt")),
            vm.parseJsonBytes32(json, string.concat(name, ".spec_hash")),
            vm.parseJsonUint(json, string.concat(name, ".round")),
            vm.parseJsonUint(json, string.concat(name, ".shard"))
        );
        assertEq(bytes32(uint256(mark)), vm.parseJsonBytes32(json, string.concat(name, ".mark")), "mark");
        BlobTail memory tail = BlobTail(
            vm.parseJsonBytes32(json, string.concat(name, ".state")),
            uint64(vm.parseJsonUint(json, string.concat(name, ".skipped"))),
            vm.parseJsonBytes(json, string.concat(name, ".data")),
            uint32(vm.parseJsonUint(json, string.concat(name, ".codes_end"))),
            uint8(vm.parseJsonUint(json, string.concat(name, ".code_bytes")))
        );
        this.requireMark(vm.parseJsonBytes32(json, string.concat(name, ".gradient")), mark, tail);
    }

    function checkSample(string memory json, string memory name) private view returns (uint256 count) {
        bytes memory seed = vm.parseJsonBytes(json, string.concat(name, ".seed"));
        bytes32 commitment = vm.parseJsonBytes32(json, string.concat(name, ".commitment"));
        assertEq(SampleLib.commitment(seed), commitment, "commitment");
        uint256 held = 0;
        string memory place = entry(name, ".looked", 0);
        for (; vm.keyExistsJson(json, place); place = entry(name, ".looked", ++count)) {
            uint256 shard = vm.parseJsonUint(json, place);
            if (!holds(json, name, seed, shard)) continue;
            assertEq(vm.parseJsonUint(json, entry(name, ".held", held++)), shard, "held");
        }
        assertTrue(!vm.keyExistsJson(json, entry(name, ".held", held)), "no more");
    }

    function checkQuotas(string memory json, string memory name) private view returns (uint256 count) {
        bytes memory seed = vm.parseJsonBytes(json, string.concat(name, ".seed"));
        string memory place = entry(name, ".quotas", 0);
        for (; vm.keyExistsJson(json, place); place = entry(name, ".quotas", ++count)) {
            uint256 wanted = vm.parseJsonUint(json, string.concat(place, ".wanted_ppm"));
            uint256 window = vm.parseJsonUint(json, string.concat(place, ".window"));
            uint256 places = vm.parseJsonUint(json, string.concat(place, ".places"));
            assertEq(SampleLib.quota(seed, wanted, window), places, "quota");
        }
    }

    function holds(string memory json, string memory name, bytes memory seed, uint256 shard)
        private
        view
        returns (bool)
    {
        return SampleLib.holds(
            seed,
            vm.parseJsonUint(json, string.concat(name, ".rounds")),
            vm.parseJsonUint(json, string.concat(name, ".shards")),
            vm.parseJsonUint(json, string.concat(name, ".share_ppm")),
            shard / 10_000,
            shard % 10_000
        );
    }

    function entry(string memory name, string memory list, uint256 index)
        private
        pure
        returns (string memory)
    {
        return string.concat(name, list, "[", vm.toString(index), "]");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ContributionLib} from "../../src/libraries/ContributionLib.sol";
import {LeafLib} from "../../src/libraries/LeafLib.sol";
import {Contribution} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `tests/vectors/contribution.json`: what a miner signs in Python is what the contracts hash, and a micro-batch
/// that Python shows is under the root that it signed.
contract ContributionVectorTest is MarketFixture {
    string private json;

    function test_contribution__sharedVector__isSignedByItsMiner() public {
        json = vm.readFile("../tests/vectors/contribution.json");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        this.requireSigned(theirs(), vm.parseJsonBytes(json, ".signature"));
    }

    function test_batches__sharedVector__oneMicroBatchIsUnderTheRoot() public {
        json = vm.readFile("../tests/vectors/contribution.json");
        uint256 index = vm.parseJsonUint(json, ".index");
        bytes32 name = vm.parseJsonBytes32Array(json, ".names")[index];
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(uint32(index), name))));
        assertEq(leaf, vm.parseJsonBytes32(json, ".leaf"), "leaf");
        assertEq(this.rootOf(leaf, vm.parseJsonBytes32Array(json, ".proof")), theirs().batches, "root");
    }

    /// @dev External, so that what it is given lies in calldata.
    function requireSigned(Contribution calldata c, bytes calldata signature) external view {
        bytes32 domain = separatorOf(vm.parseJsonAddress(json, ".verifying_contract"));
        bytes32 digest = ContributionLib.digest(c, domain);
        assertEq(digest, vm.parseJsonBytes32(json, ".digest"), "digest");
        ContributionLib.requireSigned(c, digest, signature);
    }

    function rootOf(bytes32 leaf, bytes32[] calldata proof) external pure returns (bytes32) {
        return LeafLib.rootOf(leaf, proof);
    }

    function separatorOf(address at) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("ProofOfTraining"),
                keccak256("1"),
                block.chainid,
                at
            )
        );
    }

    function theirs() private view returns (Contribution memory) {
        return Contribution({
            taskId: TaskId.wrap(vm.parseJsonUint(json, ".contribution.taskId")),
            round: uint32(vm.parseJsonUint(json, ".contribution.round")),
            shard: uint32(vm.parseJsonUint(json, ".contribution.shard")),
            miner: vm.parseJsonAddress(json, ".contribution.miner"),
            specHash: vm.parseJsonBytes32(json, ".contribution.specHash"),
            parentModel: vm.parseJsonBytes32(json, ".contribution.parentModel"),
            gradient: vm.parseJsonBytes32(json, ".contribution.gradient"),
            batches: vm.parseJsonBytes32(json, ".contribution.batches"),
            samples: uint32(vm.parseJsonUint(json, ".contribution.samples")),
            lossMicros: uint64(vm.parseJsonUint(json, ".contribution.lossMicros"))
        });
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateLib} from "../../src/libraries/CertificateLib.sol";
import {LeafLib} from "../../src/libraries/LeafLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {QuorumLib} from "../../src/libraries/QuorumLib.sol";
import {SignatureLib} from "../../src/libraries/SignatureLib.sol";
import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `tests/vectors/*.json`, which pytest reads too: both languages hash, prove and count alike.
contract SharedVectorsTest is MarketFixture {
    function test_certificate__sharedVector__hasTheSameDigestAndSigners() public {
        string memory json = vector("certificate");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        address at = vm.parseJsonAddress(json, ".verifying_contract");
        vm.etch(at, address(market).code);
        ITrainingMarket there = ITrainingMarket(at);
        RoundCertificate memory certificate = readCertificate(json);
        bytes32 digest = vm.parseJsonBytes32(json, ".digest");
        assertEq(there.domainSeparator(), vm.parseJsonBytes32(json, ".domain_separator"), "domain");
        assertEq(this.structHash(certificate), vm.parseJsonBytes32(json, ".struct_hash"), "struct");
        assertEq(there.certificateDigest(certificate), digest, "digest");
        address[] memory members = vm.parseJsonAddressArray(json, ".members");
        bytes memory packed;
        for (uint256 i = 0; i < members.length; ++i) {
            packed = abi.encodePacked(packed, MembersLib.word(members[i], 1));
        }
        uint64 signers = uint64(vm.parseJsonUint(json, ".signers"));
        this.verify(packed, digest, signers, vm.parseJsonBytes(json, ".signatures"));
    }

    function test_merkle__sharedVectors__leavesAndProofsAgree() public view {
        string memory json = vector("merkle");
        uint256 count = 0;
        for (string memory at = tree(0); vm.keyExistsJson(json, at); at = tree(++count)) {
            checkPayout(json, string.concat(at, ".payouts"));
            checkFault(json, string.concat(at, ".faults"));
        }
        assertTrue(count > 0, "there are trees");
    }

    function test_quorum__sharedVectors__agree() public view {
        string memory json = vector("quorum");
        uint256 count = 0;
        for (string memory at = entry(0); vm.keyExistsJson(json, at); at = entry(++count)) {
            uint256 n = vm.parseJsonUint(json, string.concat(at, ".n"));
            assertEq(QuorumLib.faulty(n), vm.parseJsonUint(json, string.concat(at, ".f")), "f");
            assertEq(QuorumLib.quorum(n), vm.parseJsonUint(json, string.concat(at, ".quorum")), "quorum");
        }
        assertTrue(count >= 64, "every size of a committee");
    }

    function structHash(RoundCertificate calldata certificate) external pure returns (bytes32) {
        return CertificateLib.structHash(certificate);
    }

    function fault(FaultLeaf calldata leaf) external pure returns (bytes32) {
        return LeafLib.fault(leaf);
    }

    function verify(bytes memory members, bytes32 digest, uint64 signers, bytes calldata signatures_)
        external
        view
    {
        SignatureLib.verify(members, digest, signers, signatures_, true);
    }

    function checkPayout(string memory json, string memory at) private view {
        address account = vm.parseJsonAddress(json, string.concat(at, ".account"));
        bytes32 leaf = LeafLib.payout(account, vm.parseJsonUint(json, string.concat(at, ".cumulative")));
        checkProof(json, at, leaf);
    }

    function checkFault(string memory json, string memory at) private view {
        FaultLeaf memory leaf = FaultLeaf({
            round: uint32(vm.parseJsonUint(json, string.concat(at, ".round"))),
            shard: uint32(vm.parseJsonUint(json, string.concat(at, ".shard"))),
            miner: vm.parseJsonAddress(json, string.concat(at, ".miner")),
            gradient: vm.parseJsonBytes32(json, string.concat(at, ".gradient"))
        });
        checkProof(json, at, this.fault(leaf));
    }

    function checkProof(string memory json, string memory at, bytes32 leaf) private pure {
        assertEq(leaf, vm.parseJsonBytes32(json, string.concat(at, ".leaf")), "leaf");
        bytes32 root = vm.parseJsonBytes32(json, string.concat(at, ".root"));
        bytes32[] memory proof = vm.parseJsonBytes32Array(json, string.concat(at, ".proof"));
        assertTrue(MerkleProof.verify(proof, root, leaf), "proof");
    }

    function readCertificate(string memory json) private pure returns (RoundCertificate memory c) {
        c.taskId = TaskId.wrap(vm.parseJsonUint(json, ".certificate.taskId"));
        c.firstRound = uint32(vm.parseJsonUint(json, ".certificate.firstRound"));
        c.lastRound = uint32(vm.parseJsonUint(json, ".certificate.lastRound"));
        c.epoch = Epoch.wrap(uint32(vm.parseJsonUint(json, ".certificate.epoch")));
        c.specHash = vm.parseJsonBytes32(json, ".certificate.specHash");
        c.parentModel = vm.parseJsonBytes32(json, ".certificate.parentModel");
        c.model = vm.parseJsonBytes32(json, ".certificate.model");
        c.contributionsRoot = vm.parseJsonBytes32(json, ".certificate.contributionsRoot");
        c.faultsRoot = vm.parseJsonBytes32(json, ".certificate.faultsRoot");
        c.payoutsRoot = vm.parseJsonBytes32(json, ".certificate.payoutsRoot");
        c.paidTotal = uint128(vm.parseJsonUint(json, ".certificate.paidTotal"));
        c.segment = vm.parseJsonBytes32(json, ".certificate.segment");
    }

    function vector(string memory name) private view returns (string memory) {
        return vm.readFile(string.concat("../tests/vectors/", name, ".json"));
    }

    function tree(uint256 index) private pure returns (string memory) {
        return string.concat(".trees[", vm.toString(index), "]");
    }

    function entry(uint256 index) private pure returns (string memory) {
        return string.concat(".quorum[", vm.toString(index), "]");
    }
}

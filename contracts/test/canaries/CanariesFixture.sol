// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccusationStatus, BlobTail, CanaryTerms, Charge} from "../../src/types/Canary.sol";
import {ContributionLeaf, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";

/// @notice A task in which the poster planted miner 0 and miner 1 as canaries, and what they and the members sign.
abstract contract CanariesFixture is MarketFixture {
    bytes32 internal constant SALT = keccak256("salt");
    uint96 internal constant PENALTY = 100 ether;
    uint32 internal constant HALF = 500_000;
    /// @dev FIPS 180-4: where SHA-256 begins.
    bytes32 internal constant BEGIN = 0x6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19;

    TaskId internal taskId;
    /// @dev The member that slept: position 0.
    address internal lazy;

    function setUp() public virtual override {
        super.setUp();
        TaskParams memory params = someParams();
        params.challengeWindow = WINDOW;
        taskId = createTask(params);
        lazy = validator(0);
    }

    function canaryLeaf(address miner_, bytes32 salt) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(miner_, salt))));
    }

    function saltOf(uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(SALT, index));
    }

    function leaves() internal view returns (bytes32[] memory list) {
        list = new bytes32[](2);
        (list[0], list[1]) = (canaryLeaf(miner(0), saltOf(0)), canaryLeaf(miner(1), saltOf(1)));
    }

    function terms() internal view returns (CanaryTerms memory) {
        return CanaryTerms(MerkleTree.root(leaves()), HALF, PENALTY);
    }

    function plant() internal {
        CanaryTerms memory planted = terms();
        vm.prank(poster);
        canaries.plant(taskId, planted);
    }

    function start() internal {
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
    }

    function open(uint256 index) internal {
        canaries.open(taskId, miner(index), saltOf(index), MerkleTree.proof(leaves(), index));
    }

    /// @dev Planted, begun, and the first canary open.
    function openFirst() internal {
        plant();
        start();
        open(0);
    }

    function seedFor(uint256 number) internal pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encode(number)), keccak256("rest"), bytes1(0x1b));
    }

    function commitmentOf(bytes memory seed) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("ProofOfTraining/sample/3/commitment/", seed));
    }

    /// @dev A seed whose sample holds the shard, or does not.
    function seedThat(bool holds, uint32 round, uint32 shard) internal view returns (bytes memory seed) {
        for (uint256 i = 0;; ++i) {
            seed = seedFor(i);
            if (canaries.sampleHolds(seed, ROUNDS, SHARDS, HALF, round, shard) == holds) return seed;
        }
    }

    function commitSeed(address member, bytes memory seed) internal {
        bytes32 commitment = commitmentOf(seed); // hashing is a call, which a prank would be spent on
        vm.prank(member);
        canaries.commitSeed(taskId, commitment);
    }

    /// @dev A blob of 128 codes of one byte between a head and some exponents, marked with these bits.
    function blobWith(uint128 mark) internal pure returns (bytes memory blob) {
        blob = abi.encodePacked("{head}", new bytes(128), "exponents");
        for (uint256 i = 0; i < 128; ++i) {
            blob[6 + i] = bytes1(uint8(2 * i + ((mark >> (127 - i)) & 1)));
        }
    }

    function tailOf(bytes memory blob) internal pure returns (BlobTail memory) {
        return BlobTail(BEGIN, 0, blob, 134, 1);
    }

    function canaryBlob(uint256 index, uint32 round, uint32 shard) internal view returns (bytes memory) {
        return blobWith(canaries.markOf(saltOf(index), keccak256("spec"), round, shard));
    }

    function canaryFault(uint256 index, uint32 round, uint32 shard) internal view returns (FaultLeaf memory) {
        return FaultLeaf(round, shard, miner(index), sha256(canaryBlob(index, round, shard)));
    }

    /// @dev What `member` signed: the certificate that the market takes next, with one canary in it.
    function charge(uint256 member, uint256 index, uint32 shard) internal view returns (Charge memory c) {
        c.member = validator(member);
        c.certificate = nextCertificate(taskId);
        uint32 round = c.certificate.firstRound;
        bytes memory blob = canaryBlob(index, round, shard);
        c.leaf = ContributionLeaf(round, shard, miner(index), sha256(blob), keccak256("digest"));
        c.proof = noProof();
        c.tail = tailOf(blob);
        c.certificate.contributionsRoot = contributionLeaf(c.leaf);
        signCharge(c, member);
    }

    function signCharge(Charge memory c, uint256 member) internal view {
        c.signature = compact(validatorKeys[member], market.certificateDigest(c.certificate));
    }

    /// @dev The agreement's statement, written out anew: `protocol/pbft_messages.py`.
    function prepareDigest(Charge memory c) internal view returns (bytes32) {
        return sha256(
            abi.encodePacked(
                "ProofOfTraining/PBFT/1",
                market.domainSeparator(),
                id(taskId),
                uint8(2),
                c.view_,
                c.seq,
                sha256(abi.encode(c.certificate)),
                c.member
            )
        );
    }

    function statusOf(bytes32 key) internal view returns (AccusationStatus) {
        return canaries.accusationOf(key).status;
    }

    function keyFor(address member, uint256 index, uint256 round, uint256 shard)
        internal
        view
        returns (bytes32)
    {
        return canaries.keyOf(taskId, member, miner(index), round, shard);
    }
}

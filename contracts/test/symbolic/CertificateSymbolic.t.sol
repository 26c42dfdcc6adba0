// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {CertificateLib} from "../../src/libraries/CertificateLib.sol";
import {ContributionLib} from "../../src/libraries/ContributionLib.sol";
import {LeafLib} from "../../src/libraries/LeafLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {SignatureLib} from "../../src/libraries/SignatureLib.sol";
import {Contribution, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";

/// @notice The libraries behind calls, because they read calldata.
contract CertificateHarness {
    using CertificateLib for RoundCertificate;

    function structHash(RoundCertificate calldata c) external pure returns (bytes32) {
        return c.structHash();
    }

    function overlaps(RoundCertificate calldata a, RoundCertificate calldata b) external pure returns (bool) {
        return a.overlaps(b);
    }

    function span(RoundCertificate calldata c) external pure returns (uint256) {
        return c.span();
    }

    function contribution(Contribution calldata c) external pure returns (bytes32) {
        return ContributionLib.digest(c, bytes32(uint256(1)));
    }

    function fault(FaultLeaf calldata leaf) external pure returns (bytes32) {
        return LeafLib.fault(leaf);
    }

    function verify(bytes calldata members, bytes32 digest, uint64 signers, bytes calldata signatures)
        external
        view
    {
        SignatureLib.verify(members, digest, signers, signatures, true);
    }
}

/// @notice Symbolic properties of certificates, leaves and signatures. keccak256 is taken to have no collisions, and
/// ecrecover to be some function of its arguments.
contract CertificateSymbolicTest {
    CertificateHarness private harness = new CertificateHarness();

    /// @dev Equal digests mean equal certificates, so a change of any field is another digest.
    function check_structHash__equalHashes__meanEqualRounds(
        RoundCertificate calldata a,
        RoundCertificate calldata b
    ) public view {
        if (harness.structHash(a) != harness.structHash(b)) return;
        assert(TaskId.unwrap(a.taskId) == TaskId.unwrap(b.taskId));
        assert(a.firstRound == b.firstRound && a.lastRound == b.lastRound);
        assert(Epoch.unwrap(a.epoch) == Epoch.unwrap(b.epoch));
        assert(a.paidTotal == b.paidTotal);
    }

    function check_structHash__equalHashes__meanEqualContents(
        RoundCertificate calldata a,
        RoundCertificate calldata b
    ) public view {
        if (harness.structHash(a) != harness.structHash(b)) return;
        assert(a.specHash == b.specHash && a.parentModel == b.parentModel && a.model == b.model);
        assert(a.contributionsRoot == b.contributionsRoot && a.faultsRoot == b.faultsRoot);
        assert(a.payoutsRoot == b.payoutsRoot && a.segment == b.segment);
    }

    /// @dev The hash of calldata is EIP-712's, word for word.
    function check_structHash__anyCertificate__isTheHashOfItsEncoding(RoundCertificate calldata c)
        public
        view
    {
        assert(harness.structHash(c) == keccak256(abi.encode(CertificateLib.TYPEHASH, c)));
    }

    function check_overlaps__sameTaskAndEpoch__meansARoundInCommon(
        RoundCertificate memory a,
        RoundCertificate memory b,
        uint32 round
    ) public view {
        bool inBoth = a.firstRound <= round && round <= a.lastRound && b.firstRound <= round
            && round <= b.lastRound;
        bool same = a.taskId == b.taskId && a.epoch == b.epoch;
        if (inBoth && same) assert(harness.overlaps(a, b));
        if (!same) assert(!harness.overlaps(a, b));
    }

    function check_overlaps__anyPair__isSymmetric(RoundCertificate memory a, RoundCertificate memory b)
        public
        view
    {
        assert(harness.overlaps(a, b) == harness.overlaps(b, a));
    }

    function check_span__anyRange__countsItsRounds(RoundCertificate memory c) public view {
        if (c.lastRound < c.firstRound) return;
        uint256 span = harness.span(c);
        assert(span >= 1 && c.firstRound + span == uint256(c.lastRound) + 1);
    }

    function check_leaf__equalPayoutLeaves__meanEqualPayouts(
        address accountA,
        uint256 amountA,
        address accountB,
        uint256 amountB
    ) public pure {
        if (LeafLib.payout(accountA, amountA) != LeafLib.payout(accountB, amountB)) return;
        assert(accountA == accountB && amountA == amountB);
    }

    /// @dev Who signs one contribution signs no other: no field can be changed.
    function check_contribution__equalDigests__meanEqualContributions(
        Contribution calldata a,
        Contribution calldata b
    ) public view {
        if (harness.contribution(a) != harness.contribution(b)) return;
        assert(TaskId.unwrap(a.taskId) == TaskId.unwrap(b.taskId) && a.miner == b.miner);
        assert(a.round == b.round && a.shard == b.shard && a.samples == b.samples);
        assert(a.specHash == b.specHash && a.parentModel == b.parentModel && a.gradient == b.gradient);
        assert(a.lossMicros == b.lossMicros && a.batches == b.batches);
    }

    function check_leaf__equalFaultLeaves__meanEqualFaults(FaultLeaf calldata a, FaultLeaf calldata b)
        public
        view
    {
        if (harness.fault(a) != harness.fault(b)) return;
        assert(a.round == b.round && a.shard == b.shard && a.miner == b.miner && a.gradient == b.gradient);
    }

    /// @dev Bound: a committee of four, up to four signatures, any bitmap of 64 bits. What is accepted has a quorum of
    /// distinct positions, each of which has one signature that recovers to the member there.
    function check_verify__committeeOfFour__acceptsOnlyAQuorumOfMembers(
        address[4] memory list,
        uint96 stake,
        bytes32 digest,
        uint64 signers,
        bytes32[8] memory words,
        uint8 count
    ) public view {
        if (count > 4) return;
        // Members called `join`, so none of them is the zero address, which a failed recovery answers with.
        for (uint256 i = 0; i < 4; ++i) {
            if (list[i] == address(0)) return;
        }
        bytes memory signatures = head(words, count);
        bytes memory members = packed(list, stake);
        try harness.verify(members, digest, signers, signatures) {
            assert(signers < 16);
            uint256 next = 0;
            for (uint256 i = 0; i < 4; ++i) {
                if ((signers >> i) & 1 == 0) continue;
                (bytes32 r, bytes32 vs) = (words[2 * next], words[2 * next + 1]);
                bytes32 s = vs & bytes32(uint256(type(int256).max));
                address signer = ecrecover(digest, uint8((uint256(vs) >> 255) + 27), r, s);
                assert(signer == list[i] && signer != address(0));
                ++next;
            }
            assert(next == count && next >= 3);
        } catch {}
    }

    function check_indexOf__fourMembers__findsWhoIsThere(
        address[4] memory list,
        uint96 stake,
        address account
    ) public pure {
        bytes memory members = packed(list, stake);
        uint256 index = MembersLib.indexOf(members, account);
        if (index < 4) assert(list[index] == account);
        else assert(list[0] != account && list[1] != account && list[2] != account && list[3] != account);
    }

    /// @dev The list as it is stored, each member with the same stake, which must not matter.
    function packed(address[4] memory list, uint96 stake) private pure returns (bytes memory) {
        return abi.encodePacked(list[0], stake, list[1], stake, list[2], stake, list[3], stake);
    }

    function head(bytes32[8] memory words, uint256 count) private pure returns (bytes memory joined) {
        for (uint256 n = 0; n <= 4; ++n) {
            if (count != n) continue;
            for (uint256 i = 0; i < 2 * n; ++i) {
                joined = bytes.concat(joined, words[i]);
            }
        }
    }
}

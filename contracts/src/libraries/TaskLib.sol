// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {CertificateRecord, RoundCertificate} from "../types/Certificate.sol";
import {Epoch, TaskId} from "../types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../types/Task.sol";
import {CertificateLib} from "./CertificateLib.sol";
import {QuorumLib} from "./QuorumLib.sol";
import {RecordLib, Stored} from "./RecordLib.sol";
import {RoundingLib} from "./RoundingLib.sol";

/// @title TaskLib
/// @notice The state machine and the money of one task. Every transition is one function, which refuses with an
/// error and changes nothing when the task is in another state:
///
/// | function   | from                        | to                                          |
/// |------------|-----------------------------|---------------------------------------------|
/// | open       | None                        | Open                                        |
/// | certify    | Open                        | Open, or Completed when no round is missing |
/// | certify    | Disputed                    | Disputed                                    |
/// | cancel     | Open                        | Cancelled                                   |
/// | dispute    | Open, Completed, Disputed   | Disputed                                    |
/// | endDispute | Disputed                    | Open, or Completed when no round is missing |
/// | overturn   | Disputed                    | Overturned                                  |
/// | close      | Open, Completed, Overturned | Closed                                      |
///
/// Money: the rounds up to r earn r * (shards * rewardPerShard + feePerRound). `checkCertificate` keeps
/// paidTotal + fee of the last certificate <= earned <= escrow, so refund and fee shares never exceed what is there.
library TaskLib {
    using CertificateLib for RoundCertificate;

    uint256 internal constant MAX_ROUNDS = type(uint16).max;
    uint256 internal constant MAX_SHARDS = 1_024;
    uint256 internal constant MAX_CHALLENGE_WINDOW = 7 days;

    /// @notice Refuses parameters outside their bounds; money and times are bounded by what a slot holds.
    function checkParams(TaskParams memory params) internal pure {
        if (params.specHash == 0) revert ITrainingMarket.ZeroHash("specHash");
        if (params.genesisModel == 0) revert ITrainingMarket.ZeroHash("genesisModel");
        bounded("rounds", params.rounds, 1, MAX_ROUNDS);
        bounded("shards", params.shards, 1, MAX_SHARDS);
        bounded("rewardPerShard", params.rewardPerShard, 1, type(uint128).max);
        bounded("slashPerFault", params.slashPerFault, 0, type(uint96).max);
        bounded("minerStake", params.minerStake, params.slashPerFault, type(uint96).max);
        bounded("challengeWindow", params.challengeWindow, 0, MAX_CHALLENGE_WINDOW);
        // 2**16 rounds * 2**11 shards * 2**128 stays far below 2**256.
        bounded(
            "escrow",
            earned(params.rounds, params.shards, params.rewardPerShard, params.feePerRound),
            1,
            type(uint96).max
        );
    }

    /// @notice None -> Open. The caller has checked the parameters and the times.
    function open(Task storage self, TaskParams memory params, Epoch epoch, address poster) internal {
        // The bounds of the parameters, and the escrow's for the money, make each value fit.
        self.status = TaskStatus.Open;
        self.model = params.genesisModel;
        self.specHash = params.specHash;
        self.rewardPerShard = uint96(params.rewardPerShard);
        self.feePerRound = uint96(params.feePerRound);
        self.rounds = uint16(params.rounds);
        self.shards = uint16(params.shards);
        self.challengeWindow = uint24(params.challengeWindow);
        self.epoch = epoch;
        self.startsAt = uint40(params.startsAt);
        self.deadline = uint40(params.deadline);
        self.poster = poster;
        self.slashPerFault = uint96(params.slashPerFault);
        self.minerStake = uint96(params.minerStake);
    }

    /// @notice All that `certify` asks of a certificate but its signatures.
    function checkCertificate(Task storage self, RoundCertificate calldata certificate) internal view {
        TaskId id = certificate.taskId;
        requireTaking(self, id);
        if (block.timestamp < self.startsAt) revert ITrainingMarket.TaskNotStarted(id, self.startsAt);
        if (block.timestamp > self.deadline) revert ITrainingMarket.DeadlinePassed(id, self.deadline);
        checkRounds(self, certificate, id);
        if (certificate.epoch != self.epoch) {
            revert ITrainingMarket.EpochMismatch(id, certificate.epoch, self.epoch);
        }
        if (certificate.specHash != self.specHash) {
            revert ITrainingMarket.SpecMismatch(id, certificate.specHash, self.specHash);
        }
        if (certificate.parentModel != self.model) {
            revert ITrainingMarket.ParentModelMismatch(id, certificate.parentModel, self.model);
        }
        checkMoney(self, certificate, id);
    }

    /// @notice Advances an open task by a certificate that was checked, and returns its index.
    function certify(Task storage self, RoundCertificate calldata certificate)
        internal
        returns (uint256 index)
    {
        index = self.certificates;
        uint256 last = certificate.lastRound;
        uint96 paid = uint96(certificate.paidTotal);
        self.model = certificate.model;
        if (last == self.rounds) complete(self);
        // Each certificate covers a round, so there are no more of them than rounds. One slot, written in one go.
        unchecked {
            (self.paidTotal, self.lastRound, self.certificates) = (paid, uint16(last), uint16(index + 1));
        }
    }

    /// @notice Second in which the window of a certificate begins that is accepted in this one. Never before that of an
    /// earlier certificate, so that what is final is never behind something that is not.
    function windowBegins(Task storage self) internal view returns (uint256 begins) {
        begins = self.disputesEnd;
        if (begins < block.timestamp) begins = block.timestamp;
    }

    /// @notice Freezes certificate number `index`, final at `maturesAt`, and all later ones, for at most `longest` seconds.
    function dispute(Task storage self, TaskId id, uint256 index, uint256 maturesAt, uint256 longest)
        internal
    {
        TaskStatus status = self.status;
        if (status == TaskStatus.Disputed) {
            if (index >= self.disputedFrom) return;
        } else if (status != TaskStatus.Open && status != TaskStatus.Completed) {
            revert ITrainingMarket.TaskNotOpen(id, status);
        }
        if (block.timestamp >= maturesAt) revert ITrainingMarket.WindowClosed(id, index, maturesAt);
        if (status != TaskStatus.Disputed) self.disputesEnd = uint40(block.timestamp + longest);
        self.status = TaskStatus.Disputed;
        self.disputedFrom = uint16(index);
    }

    /// @notice Disputed -> Open or Completed.
    function endDispute(Task storage self, TaskId id) internal {
        requireDisputed(self, id);
        self.status = self.lastRound == self.rounds ? TaskStatus.Completed : TaskStatus.Open;
    }

    /// @notice Disputed -> Overturned: only the certificates below `from` stand, the last of which is `before`. None of
    /// what is void was final, so no claim exceeded `before.paidTotal`.
    function overturn(Task storage self, TaskId id, uint256 from, CertificateRecord calldata before)
        internal
    {
        requireDisputed(self, id);
        bool any = from != 0;
        self.paidTotal = any ? uint96(before.paidTotal) : 0;
        self.lastRound = any ? uint16(before.lastRound) : 0;
        self.certificates = uint16(from);
        self.model = any ? before.model : bytes32(0);
        self.status = TaskStatus.Overturned;
    }

    /// @notice Open -> Cancelled, before the start.
    function cancel(Task storage self, TaskId id) internal returns (uint256 refund) {
        requireOpen(self, id);
        if (msg.sender != self.poster) revert ITrainingMarket.NotPoster(id, msg.sender, self.poster);
        if (block.timestamp >= self.startsAt) revert ITrainingMarket.TaskStarted(id, self.startsAt);
        refund = escrow(self);
        self.status = TaskStatus.Cancelled;
    }

    /// @notice Open, Completed or Overturned -> Closed, when no certificate can follow and none can be challenged.
    /// @param last The last certificate that stands.
    function close(Task storage self, TaskId id, Stored memory last) internal returns (uint256 refund) {
        TaskStatus status = self.status;
        if (status == TaskStatus.None) revert ITrainingMarket.TaskUnknown(id);
        bool ended = status == TaskStatus.Completed || status == TaskStatus.Overturned
            || (status == TaskStatus.Open && block.timestamp > self.deadline);
        if (!ended) revert ITrainingMarket.TaskNotEnded(id, status, self.deadline);
        if (block.timestamp < last.maturesAt) revert ITrainingMarket.WindowOpen(id, last.maturesAt);
        refund = refundable(self, last);
        self.status = TaskStatus.Closed;
    }

    /// @notice Reverts unless certificate number `index` is final: its window closed and no dispute freezes it.
    function requireMature(Task storage self, TaskId id, uint256 index, uint256 maturesAt) internal view {
        if (block.timestamp < maturesAt) revert ITrainingMarket.NotMature(id, index, maturesAt);
        if (self.status == TaskStatus.Disputed && index >= self.disputedFrom) {
            revert ITrainingMarket.RecordFrozen(id, index, self.disputedFrom);
        }
    }

    /// @notice What was funded.
    function escrow(Task storage self) internal view returns (uint256) {
        return earned(self.rounds, self.shards, self.rewardPerShard, self.feePerRound);
    }

    /// @notice Share of one signer in the last certificate's fee; the dust stays with the poster.
    function feeShare(Task storage self, Stored memory last) internal view returns (uint256) {
        return RoundingLib.shareDown(uint256(self.feePerRound) * last.span, last.signers);
    }

    /// @notice What the poster gets back if the task ends now; 0 when it has ended.
    function refundable(Task storage self, Stored memory last) internal view returns (uint256) {
        TaskStatus status = self.status;
        bool ended =
            status == TaskStatus.None || status == TaskStatus.Cancelled || status == TaskStatus.Closed;
        return ended ? 0 : escrow(self) - self.paidTotal - feeShare(self, last) * last.signers;
    }

    /// @notice Money of the task that the market holds.
    function held(Task storage self, Stored memory last) internal view returns (uint256) {
        TaskStatus status = self.status;
        if (status == TaskStatus.None || status == TaskStatus.Cancelled) return 0;
        if (status != TaskStatus.Closed) return escrow(self) - self.claimedTotal;
        uint256 unpaid = last.signers - QuorumLib.popcount(self.feesPaid);
        return uint256(self.paidTotal) - self.claimedTotal + feeShare(self, last) * unpaid;
    }

    function complete(Task storage self) private {
        if (self.status == TaskStatus.Open) self.status = TaskStatus.Completed;
    }

    function requireOpen(Task storage self, TaskId id) private view {
        TaskStatus status = self.status;
        if (status == TaskStatus.None) revert ITrainingMarket.TaskUnknown(id);
        if (status != TaskStatus.Open) revert ITrainingMarket.TaskNotOpen(id, status);
    }

    /// @dev A dispute stops payouts and not the work: else a bond would buy a standstill until the deadline. The
    /// record before the disputed ones must stay, because the task may end there.
    function requireTaking(Task storage self, TaskId id) private view {
        if (self.status == TaskStatus.Open) return;
        if (self.status != TaskStatus.Disputed) requireOpen(self, id);
        if (uint256(self.certificates) + 1 >= self.disputedFrom + RecordLib.RING) {
            revert ITrainingMarket.RingFull(id, self.disputesEnd);
        }
    }

    function requireDisputed(Task storage self, TaskId id) private view {
        TaskStatus status = self.status;
        if (status != TaskStatus.Disputed) revert ITrainingMarket.TaskNotDisputed(id, status);
    }

    function checkRounds(Task storage self, RoundCertificate calldata certificate, TaskId id) private view {
        uint256 first = uint256(self.lastRound) + 1;
        uint256 last = certificate.lastRound;
        if (certificate.firstRound != first) {
            revert ITrainingMarket.FirstRoundMismatch(id, certificate.firstRound, first);
        }
        uint256 max = self.rounds;
        if (last < first || last > max) revert ITrainingMarket.LastRoundOutOfBounds(id, last, first, max);
    }

    function checkMoney(Task storage self, RoundCertificate calldata certificate, TaskId id) private view {
        uint256 paid = certificate.paidTotal;
        if (paid < self.paidTotal) revert ITrainingMarket.PaidTotalFell(id, paid, self.paidTotal);
        uint256 fee = uint256(self.feePerRound) * certificate.span();
        uint256 limit = earned(certificate.lastRound, self.shards, self.rewardPerShard, self.feePerRound);
        if (paid + fee > limit) revert ITrainingMarket.PaidTotalExceedsEarned(id, paid, fee, limit);
    }

    function earned(uint256 rounds, uint256 shards, uint256 rewardPerShard, uint256 feePerRound)
        private
        pure
        returns (uint256)
    {
        // The fields that these come from are narrow: 2**32 * (2**32 * 2**128 + 2**128) at most.
        unchecked {
            return rounds * (shards * rewardPerShard + feePerRound);
        }
    }

    function bounded(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ITrainingMarket.OutOfBounds(field, value, min, max);
    }
}

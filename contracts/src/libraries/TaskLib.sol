// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../types/Certificate.sol";
import {Epoch, TaskId} from "../types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../types/Task.sol";
import {CertificateLib} from "./CertificateLib.sol";
import {QuorumLib} from "./QuorumLib.sol";
import {RoundingLib} from "./RoundingLib.sol";

/// @title TaskLib
/// @notice The state machine and the money of one task. Every transition is one function, which refuses with an
/// error and changes nothing when the task is in another state:
///
/// | function | from            | to                                          |
/// |----------|-----------------|---------------------------------------------|
/// | open     | None            | Open                                        |
/// | certify  | Open            | Open, or Completed when no round is missing |
/// | cancel   | Open            | Cancelled                                   |
/// | close    | Open, Completed | Closed                                      |
///
/// Money: the rounds up to r earn r * (shards * rewardPerShard + feePerRound). `checkCertificate` keeps
/// paidTotal + fee of the last certificate <= earned <= escrow, so refund and fee shares never exceed what is there.
library TaskLib {
    using CertificateLib for RoundCertificate;

    uint256 internal constant MAX_ROUNDS = 1_000_000;
    uint256 internal constant MAX_SHARDS = 1_024;
    uint256 internal constant MAX_SPAN = type(uint16).max;

    /// @notice Stored for the empty payouts root: the hash of nothing, so no proof leads to it, but not zero, so that
    /// the poster pays for the slot and every certificate costs what an overwriting one does.
    bytes32 private constant NO_PAYOUTS = bytes32(uint256(1));

    /// @notice Refuses parameters outside their bounds; money and times are bounded by what a slot holds.
    function checkParams(TaskParams memory params) internal pure {
        if (params.specHash == 0) revert ITrainingMarket.ZeroHash("specHash");
        if (params.genesisModel == 0) revert ITrainingMarket.ZeroHash("genesisModel");
        bounded("rounds", params.rounds, 1, MAX_ROUNDS);
        bounded("shards", params.shards, 1, MAX_SHARDS);
        bounded("rewardPerShard", params.rewardPerShard, 1, type(uint128).max);
        bounded("slashPerFault", params.slashPerFault, 0, type(uint96).max);
        bounded("minerStake", params.minerStake, params.slashPerFault, type(uint128).max);
        // 2**20 rounds * 2**11 shards * 2**128 stays far below 2**256.
        bounded(
            "escrow",
            earned(params.rounds, params.shards, params.rewardPerShard, params.feePerRound),
            1,
            type(uint128).max
        );
    }

    /// @notice None -> Open. The caller has checked the parameters and the times.
    function open(Task storage self, TaskParams memory params, Epoch epoch, address poster) internal {
        self.status = TaskStatus.Open;
        self.model = params.genesisModel;
        self.payoutsRoot = NO_PAYOUTS;
        self.specHash = params.specHash;
        self.rounds = uint24(params.rounds);
        self.shards = uint16(params.shards);
        self.epoch = epoch;
        self.startsAt = uint40(params.startsAt);
        self.deadline = uint40(params.deadline);
        self.rewardPerShard = params.rewardPerShard;
        self.feePerRound = params.feePerRound;
        self.minerStake = params.minerStake;
        self.poster = poster;
        self.slashPerFault = uint96(params.slashPerFault);
    }

    /// @notice All that `certify` asks of a certificate but its signatures.
    function checkCertificate(Task storage self, RoundCertificate calldata certificate) internal view {
        TaskId id = certificate.taskId;
        requireOpen(self, id);
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

    /// @notice Advances an open task by a certificate that was checked and is signed.
    function certify(Task storage self, RoundCertificate calldata certificate, uint64 signers) internal {
        self.paidTotal = certificate.paidTotal;
        self.lastRound = certificate.lastRound;
        self.lastSpan = uint16(certificate.span());
        self.lastSigners = signers;
        self.status = certificate.lastRound == self.rounds ? TaskStatus.Completed : TaskStatus.Open;
        self.model = certificate.model;
        self.payoutsRoot = certificate.payoutsRoot == 0 ? NO_PAYOUTS : certificate.payoutsRoot;
        bytes32 faults = certificate.faultsRoot;
        if (faults == 0 && !self.hasFaults) return;
        self.hasFaults = faults != 0;
        if (self.faultsRoot == faults) return;
        self.faultsRoot = faults;
        self.faultsAt = uint40(block.timestamp);
    }

    /// @notice Open -> Cancelled, before the start.
    function cancel(Task storage self, TaskId id) internal returns (uint256 refund) {
        requireOpen(self, id);
        if (msg.sender != self.poster) revert ITrainingMarket.NotPoster(id, msg.sender, self.poster);
        if (block.timestamp >= self.startsAt) revert ITrainingMarket.TaskStarted(id, self.startsAt);
        refund = escrow(self);
        self.status = TaskStatus.Cancelled;
    }

    /// @notice Open or Completed -> Closed, when all rounds are certified or the deadline has passed.
    function close(Task storage self, TaskId id) internal returns (uint256 refund) {
        TaskStatus status = self.status;
        if (status == TaskStatus.None) revert ITrainingMarket.TaskUnknown(id);
        bool ended =
            status == TaskStatus.Completed || (status == TaskStatus.Open && block.timestamp > self.deadline);
        if (!ended) revert ITrainingMarket.TaskNotEnded(id, status, self.deadline);
        refund = refundable(self);
        self.status = TaskStatus.Closed;
    }

    /// @notice The task as others see it: an empty payouts root is zero.
    function snapshot(Task storage self) internal view returns (Task memory task) {
        task = self;
        if (task.payoutsRoot == NO_PAYOUTS) task.payoutsRoot = 0;
    }

    /// @notice What was funded.
    function escrow(Task storage self) internal view returns (uint256) {
        return earned(self.rounds, self.shards, self.rewardPerShard, self.feePerRound);
    }

    /// @notice Share of one signer in the last certificate's fee; the dust stays with the poster.
    function feeShare(Task storage self) internal view returns (uint256) {
        uint256 fee = uint256(self.feePerRound) * self.lastSpan;
        return RoundingLib.shareDown(fee, QuorumLib.popcount(self.lastSigners));
    }

    /// @notice What the poster gets back if the task ends now; 0 when it has ended.
    function refundable(Task storage self) internal view returns (uint256) {
        if (self.status != TaskStatus.Open && self.status != TaskStatus.Completed) return 0;
        return escrow(self) - self.paidTotal - feeShare(self) * QuorumLib.popcount(self.lastSigners);
    }

    /// @notice Money of the task that the market holds.
    function held(Task storage self) internal view returns (uint256) {
        TaskStatus status = self.status;
        if (status == TaskStatus.None || status == TaskStatus.Cancelled) return 0;
        if (status != TaskStatus.Closed) return escrow(self) - self.claimedTotal;
        uint256 unpaid = QuorumLib.popcount(self.lastSigners) - QuorumLib.popcount(self.feesPaid);
        return self.paidTotal - self.claimedTotal + feeShare(self) * unpaid;
    }

    function requireOpen(Task storage self, TaskId id) private view {
        TaskStatus status = self.status;
        if (status == TaskStatus.None) revert ITrainingMarket.TaskUnknown(id);
        if (status != TaskStatus.Open) revert ITrainingMarket.TaskNotOpen(id, status);
    }

    function checkRounds(Task storage self, RoundCertificate calldata certificate, TaskId id) private view {
        uint256 first = uint256(self.lastRound) + 1;
        uint256 last = certificate.lastRound;
        if (certificate.firstRound != first) {
            revert ITrainingMarket.FirstRoundMismatch(id, certificate.firstRound, first);
        }
        uint256 max = first + MAX_SPAN - 1;
        if (max > self.rounds) max = self.rounds;
        if (last < first || last > max) revert ITrainingMarket.LastRoundOutOfBounds(id, last, first, max);
    }

    function checkMoney(Task storage self, RoundCertificate calldata certificate, TaskId id) private view {
        uint256 paid = certificate.paidTotal;
        if (paid < self.paidTotal) revert ITrainingMarket.PaidTotalFell(id, paid, self.paidTotal);
        uint256 fee = self.feePerRound * certificate.span();
        uint256 limit = earned(certificate.lastRound, self.shards, self.rewardPerShard, self.feePerRound);
        if (paid + fee > limit) revert ITrainingMarket.PaidTotalExceedsEarned(id, paid, fee, limit);
    }

    function earned(uint256 rounds, uint256 shards, uint256 rewardPerShard, uint256 feePerRound)
        private
        pure
        returns (uint256)
    {
        return rounds * (shards * rewardPerShard + feePerRound);
    }

    function bounded(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ITrainingMarket.OutOfBounds(field, value, min, max);
    }
}

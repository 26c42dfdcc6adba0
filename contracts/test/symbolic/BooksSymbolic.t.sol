// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {StakeAccount, StakeLib} from "../../src/libraries/StakeLib.sol";
import {TaskLib} from "../../src/libraries/TaskLib.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";

/// @notice One stake account and one task in any state, whose transitions are called from outside.
contract BooksHarness {
    using StakeLib for StakeAccount;
    using TaskLib for Task;

    StakeAccount private account;
    Task private task;

    function setStake(uint128 stake, uint128 unbonding, uint48 unlocksAt) external {
        (account.stake, account.unbonding, account.unlocksAt) = (stake, unbonding, unlocksAt);
    }

    function stakes() external view returns (uint256, uint256) {
        return (account.stake, account.unbonding);
    }

    function deposit(uint256 amount) external returns (uint256) {
        return account.deposit(amount);
    }

    function unbond(uint256 amount, uint256 delay) external {
        account.unbond(amount, delay);
    }

    function withdraw() external returns (uint256) {
        return account.withdraw();
    }

    function slash(uint256 wanted) external returns (uint256) {
        return account.slash(msg.sender, wanted, block.timestamp);
    }

    function record() external returns (uint256) {
        return account.deposit(1);
    }

    function setTask(Task calldata t) external {
        task = t;
    }

    function state() external view returns (Task memory) {
        return task;
    }

    function checkCertificate(RoundCertificate calldata c) external view {
        task.checkCertificate(c);
    }

    function cancel() external returns (uint256) {
        return task.cancel(TaskId.wrap(1));
    }

    function close() external returns (uint256) {
        return task.close(TaskId.wrap(1));
    }

    function figures() external view returns (uint256 escrow, uint256 share, uint256 refund, uint256 held) {
        return (task.escrow(), task.feeShare(), task.refundable(), task.held());
    }
}

/// @notice Symbolic properties of the vault's and the market's books, from any state that fits into the slots.
contract BooksSymbolicTest {
    BooksHarness private harness = new BooksHarness();

    function check_deposit__anyState__addsToTheStakeAlone(uint128 stake, uint128 unbonding, uint256 amount)
        public
    {
        harness.setStake(stake, unbonding, 0);
        try harness.deposit(amount) returns (uint256 result) {
            (uint256 s, uint256 u) = harness.stakes();
            assert(amount != 0 && s == stake + amount && u == unbonding && result == s);
            assert(s + u <= type(uint128).max);
        } catch {}
    }

    function check_unbond__anyState__movesAndLosesNothing(
        uint128 stake,
        uint128 unbonding,
        uint256 amount,
        uint32 delay
    ) public {
        if (uint256(stake) + unbonding > type(uint128).max) return;
        harness.setStake(stake, unbonding, 0);
        try harness.unbond(amount, delay) {
            (uint256 s, uint256 u) = harness.stakes();
            assert(s + amount == stake && u == unbonding + amount);
        } catch {
            assert(amount == 0 || amount > stake);
        }
    }

    function check_withdraw__anyState__takesExactlyWhatUnbonded(
        uint128 stake,
        uint128 unbonding,
        uint48 unlocksAt
    ) public {
        harness.setStake(stake, unbonding, unlocksAt);
        try harness.withdraw() returns (uint256 amount) {
            (uint256 s, uint256 u) = harness.stakes();
            assert(amount == unbonding && u == 0 && s == stake);
            assert(block.timestamp >= unlocksAt);
        } catch {
            assert(unbonding == 0 || block.timestamp < unlocksAt || uint256(stake) > type(uint128).max);
        }
    }

    /// @dev The history is written by a deposit in the same second, so the past allows all of the present.
    function check_slash__anyState__neverTakesMoreThanIsThere(uint96 stake, uint96 unbonding, uint256 wanted)
        public
    {
        harness.setStake(stake, unbonding, 0);
        harness.record();
        uint256 all = uint256(stake) + 1 + unbonding;
        try harness.slash(wanted) returns (uint256 amount) {
            (uint256 s, uint256 u) = harness.stakes();
            assert(amount <= wanted && amount <= all && s + u + amount == all);
            assert(u == unbonding || s == 0); // the stake goes first
        } catch {
            assert(wanted == 0);
        }
    }

    function check_certificate__accepted__fitsTheTask(Task memory t, RoundCertificate memory c) public {
        harness.setTask(t);
        try harness.checkCertificate(c) {
            assert(t.status == TaskStatus.Open);
            assert(t.startsAt <= block.timestamp && block.timestamp <= t.deadline);
            assert(c.firstRound == uint256(t.lastRound) + 1);
            assert(c.firstRound <= c.lastRound && c.lastRound <= t.rounds);
            assert(c.lastRound - c.firstRound < 65_535);
            assert(Epoch.unwrap(c.epoch) == Epoch.unwrap(t.epoch));
            assert(c.specHash == t.specHash && c.parentModel == t.model);
        } catch {}
    }

    /// @dev Bound: rewards and fees below 2**64, so that the products stay linear for the solver in 256 bits.
    function check_certificate__accepted__paysNoMoreThanEarned(
        Task memory t,
        RoundCertificate memory c,
        uint64 reward,
        uint64 fee
    ) public {
        (t.rewardPerShard, t.feePerRound) = (reward, fee);
        harness.setTask(t);
        try harness.checkCertificate(c) {
            assert(c.paidTotal >= t.paidTotal);
            uint256 span = uint256(c.lastRound) - c.firstRound + 1;
            uint256 earned = uint256(c.lastRound) * (uint256(t.shards) * reward + fee);
            assert(c.paidTotal + uint256(fee) * span <= earned);
        } catch {}
    }

    function check_cancel__accepted__refundsTheWholeEscrow(Task memory t) public {
        harness.setTask(t);
        try harness.figures() returns (uint256 escrow, uint256, uint256, uint256) {
            try harness.cancel() returns (uint256 refund) {
                assert(refund == escrow);
                assert(t.status == TaskStatus.Open && block.timestamp < t.startsAt);
                assert(t.poster == address(this));
                assert(harness.state().status == TaskStatus.Cancelled);
            } catch {}
        } catch {}
    }

    /// @dev Bound: three of four signers. What is refunded and what stays owed is what was held.
    function check_close__accepted__refundPlusDebtsIsWhatWasHeld(Task memory t) public {
        (t.lastSigners, t.feesPaid) = (7, 0);
        harness.setTask(t);
        try harness.figures() returns (uint256 escrow, uint256 share, uint256 refundable, uint256 held) {
            if (held > escrow || t.claimedTotal > t.paidTotal) return;
            try harness.close() returns (uint256 refund) {
                (,,, uint256 owed) = harness.figures();
                assert(refund == refundable);
                assert(owed == uint256(t.paidTotal) - t.claimedTotal + 3 * share);
                assert(refund + owed == held);
                assert(t.status == TaskStatus.Completed || block.timestamp > t.deadline);
                assert(harness.state().status == TaskStatus.Closed);
            } catch {}
        } catch {}
    }
}

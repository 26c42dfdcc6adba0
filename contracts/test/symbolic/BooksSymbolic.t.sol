// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Stored} from "../../src/libraries/RecordLib.sol";
import {StakeAccount, StakeLib} from "../../src/libraries/StakeLib.sol";
import {TaskLib} from "../../src/libraries/TaskLib.sol";
import {CertificateRecord, RoundCertificate} from "../../src/types/Certificate.sol";
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

    function dispute(uint256 index, uint256 maturesAt, uint256 longest) external {
        task.dispute(TaskId.wrap(1), index, maturesAt, longest);
    }

    function endDispute() external {
        task.endDispute(TaskId.wrap(1));
    }

    function overturn(uint256 from, CertificateRecord calldata before) external {
        task.overturn(TaskId.wrap(1), from, before);
    }

    function windowBegins() external view returns (uint256) {
        return task.windowBegins();
    }

    function cancel() external returns (uint256) {
        return task.cancel(TaskId.wrap(1));
    }

    function close(Stored calldata last) external returns (uint256) {
        return task.close(TaskId.wrap(1), last);
    }

    function figures(Stored calldata last)
        external
        view
        returns (uint256 escrow, uint256 share, uint256 refund, uint256 held)
    {
        return (task.escrow(), task.feeShare(last), task.refundable(last), task.held(last));
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
    /// Bound: amounts below 2**32.
    function check_slash__anyState__neverTakesMoreThanIsThere(uint32 stake, uint32 unbonding, uint32 wanted)
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
            assert(t.status == TaskStatus.Open || t.status == TaskStatus.Disputed);
            assert(t.startsAt <= block.timestamp && block.timestamp <= t.deadline);
            assert(c.firstRound == uint256(t.lastRound) + 1);
            assert(c.firstRound <= c.lastRound && c.lastRound <= t.rounds);
            assert(c.lastRound - c.firstRound < 65_535);
            assert(Epoch.unwrap(c.epoch) == Epoch.unwrap(t.epoch));
            assert(c.specHash == t.specHash && c.parentModel == t.model);
        } catch {}
    }

    /// @dev Bound: rounds 3 to 5 of 10 with 4 shards, so that the products are linear; rewards and fees below
    /// 2**64, any payout.
    function check_certificate__accepted__paysNoMoreThanEarned(
        uint64 reward,
        uint64 fee,
        uint96 before,
        uint128 paid
    ) public {
        Task memory t = someTask(reward, fee, before);
        RoundCertificate memory c;
        (c.taskId, c.firstRound, c.lastRound, c.epoch) = (TaskId.wrap(1), 3, 5, t.epoch);
        c.paidTotal = paid;
        harness.setTask(t);
        try harness.checkCertificate(c) {
            assert(paid >= before);
            assert(uint256(paid) + 3 * uint256(fee) <= 5 * (4 * uint256(reward) + fee));
        } catch {}
    }

    /// @dev Bound: 10 rounds of 4 shards; any reward, fee, start, poster and status.
    function check_cancel__accepted__refundsTheWholeEscrow(
        uint64 reward,
        uint64 fee,
        uint40 startsAt,
        address poster,
        uint8 status
    ) public {
        if (status > uint8(type(TaskStatus).max)) return;
        Task memory t = someTask(reward, fee, 0);
        (t.startsAt, t.poster, t.status, t.lastRound) = (startsAt, poster, TaskStatus(status), 0);
        harness.setTask(t);
        (uint256 escrow,,,) = harness.figures(Stored(0, 0, 0));
        try harness.cancel() returns (uint256 refund) {
            assert(refund == escrow);
            assert(t.status == TaskStatus.Open && block.timestamp < startsAt && poster == address(this));
            assert(harness.state().status == TaskStatus.Cancelled);
        } catch {
            assert(t.status != TaskStatus.Open || block.timestamp >= startsAt || poster != address(this));
        }
    }

    /// @dev Bound: 2 of 10 rounds of 4 shards, one signer; any reward, fee, payout, claim, deadline and status. What is
    /// refunded and what stays owed is what was held.
    function check_close__accepted__refundPlusDebtsIsWhatWasHeld(
        uint64 reward,
        uint64 fee,
        uint96 paid,
        uint96 claimed,
        uint40 deadline,
        uint32 maturesAt
    ) public {
        if (uint256(paid) + fee > 2 * (4 * uint256(reward) + fee) || claimed > paid) return;
        Task memory t = someTask(reward, fee, paid);
        (t.claimedTotal, t.deadline) = (claimed, deadline);
        harness.setTask(t);
        Stored memory last = Stored(maturesAt, 1, 1);
        (uint256 escrow, uint256 share, uint256 refundable, uint256 held) = harness.figures(last);
        assert(share == fee && held == escrow - claimed);
        try harness.close(last) returns (uint256 refund) {
            (,,, uint256 owed) = harness.figures(last);
            assert(refund == refundable && owed == uint256(paid) - claimed + share);
            assert(refund + owed == held);
            assert(block.timestamp > deadline && block.timestamp >= maturesAt);
            assert(harness.state().status == TaskStatus.Closed);
        } catch {
            assert(block.timestamp <= deadline || block.timestamp < maturesAt);
        }
    }

    /// @dev A dispute begins within the window alone, freezes from its lowest case, and never moves an end back.
    function check_dispute__accepted__freezesWithinTheWindowAlone(
        uint8 status,
        uint16 from,
        uint16 index,
        uint32 maturesAt,
        uint32 longest
    ) public {
        if (status > uint8(type(TaskStatus).max)) return;
        Task memory t = someTask(1, 1, 1);
        (t.status, t.disputedFrom) = (TaskStatus(status), from);
        harness.setTask(t);
        bool disputed = t.status == TaskStatus.Disputed;
        try harness.dispute(index, maturesAt, longest) {
            Task memory after_ = harness.state();
            assert(disputed || t.status == TaskStatus.Open || t.status == TaskStatus.Completed);
            assert(block.timestamp < maturesAt || (disputed && index >= from));
            assert(after_.status == TaskStatus.Disputed);
            assert(after_.disputedFrom == (disputed && from < index ? from : index));
            if (!disputed) assert(after_.disputesEnd == uint40(block.timestamp + longest));
        } catch {
            assert(block.timestamp >= maturesAt || !disputed);
        }
    }

    /// @dev A dispute ends once, and what is certified decides where the task goes on.
    function check_endDispute__accepted__goesOnWhereItStands(uint8 status, uint16 lastRound) public {
        if (status > uint8(type(TaskStatus).max)) return;
        Task memory t = someTask(1, 1, 1);
        (t.status, t.lastRound) = (TaskStatus(status), lastRound);
        harness.setTask(t);
        try harness.endDispute() {
            assert(t.status == TaskStatus.Disputed);
            TaskStatus next = harness.state().status;
            assert(next == (lastRound == 10 ? TaskStatus.Completed : TaskStatus.Open));
            assert(harness.state().deadline == t.deadline);
        } catch {
            assert(t.status != TaskStatus.Disputed);
        }
    }

    /// @dev What is left is what the record before says, and nothing when the first certificate falls.
    function check_overturn__accepted__leavesTheRecordBefore(
        uint8 status,
        uint16 from,
        uint96 paid,
        uint16 lastRound,
        bytes32 model
    ) public {
        if (status > uint8(type(TaskStatus).max)) return;
        Task memory t = someTask(1, 1, 1);
        t.status = TaskStatus(status);
        harness.setTask(t);
        CertificateRecord memory before;
        (before.paidTotal, before.lastRound, before.model) = (paid, lastRound, model);
        try harness.overturn(from, before) {
            Task memory left = harness.state();
            assert(t.status == TaskStatus.Disputed && left.status == TaskStatus.Overturned);
            assert(left.certificates == from && left.claimedTotal == t.claimedTotal);
            assert(left.paidTotal == (from == 0 ? 0 : paid));
            assert(left.lastRound == (from == 0 ? 0 : lastRound));
            assert(left.model == (from == 0 ? bytes32(0) : model));
        } catch {
            assert(t.status != TaskStatus.Disputed);
        }
    }

    /// @dev Windows begin neither in the past nor before the end of a dispute, so they never overtake each other.
    function check_windowBegins__anyState__isNeverBeforeADisputesEnd(uint40 disputesEnd) public {
        Task memory t = someTask(1, 1, 1);
        t.disputesEnd = disputesEnd;
        harness.setTask(t);
        uint256 begins = harness.windowBegins();
        assert(begins >= block.timestamp && begins >= disputesEnd);
        assert(begins == block.timestamp || begins == disputesEnd);
    }

    function someTask(uint96 reward, uint96 fee, uint96 paid) private view returns (Task memory t) {
        (t.status, t.rounds, t.shards, t.lastRound) = (TaskStatus.Open, 10, 4, 2);
        (t.rewardPerShard, t.feePerRound, t.paidTotal) = (reward, fee, paid);
        (t.startsAt, t.deadline, t.poster) = (0, type(uint40).max, address(this));
    }
}

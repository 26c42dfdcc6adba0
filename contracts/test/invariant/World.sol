// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord, Contribution, ContributionLeaf, FaultLeaf} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A whole deployment, its people, and books kept beside the contracts' own ("ghosts"). After each step
/// everything is compared with what it was before; what must never happen is remembered in `broken`.
abstract contract World is MarketFixture {
    uint256 internal constant MAX_TASKS = 6;
    uint256 internal constant MAX_EPOCHS = 8;
    uint256 internal constant CANDIDATES = 7;
    uint256 internal constant PAYEES = 6;

    /// @notice What is known of a task without asking the market.
    struct Book {
        uint256 funded;
        uint256 paid;
        uint256 refunded;
        uint256 feeClaims;
        uint256 spans;
        uint256 slashes;
        uint256 createdAt;
        uint256 paidTotal;
        uint256 rank;
        uint64 signers;
        bytes32 terms;
        bytes32 head;
        bytes32 panel;
    }

    /// @notice What is known of a person.
    struct Person {
        uint256 deposited;
        uint256 withdrawn;
        uint256 slashed;
        uint128 wallet;
        uint128 stake;
        uint256 checkedAt;
        uint256 checkedStake;
        bool validator;
    }

    mapping(bytes32 what => bool) public broken;
    mapping(uint256 epoch => bytes32) private snapshots;
    mapping(address account => uint256) internal keys;
    mapping(uint256 taskId => Book) internal books;
    mapping(address account => Person) internal persons;
    mapping(uint256 taskId => FaultLeaf[]) internal faults;
    /// @dev Cumulative payouts and number of faults behind each certificate that stands.
    mapping(uint256 taskId => mapping(uint256 index => uint256[PAYEES])) internal payoutsAt;
    mapping(uint256 taskId => mapping(uint256 index => uint256)) internal faultsIn;
    mapping(uint256 taskId => mapping(uint256 index => uint256)) internal acceptedAt;
    /// @dev Last round of each certificate, of those too that fell.
    mapping(uint256 taskId => mapping(uint256 index => uint32)) internal roundOf;
    address[] public people;
    address[] internal payees;
    /// @dev Faults that a verdict made void.
    mapping(bytes32 leaf => bool) internal voided;
    uint256 public treasuryIn;
    uint256 public tasks;
    uint256 public epochs;
    uint256 public steps;
    /// @dev The last step, counted from 1, in which somebody signed.
    mapping(address account => uint256) private signedIn;
    address private punished;

    function setUp() public virtual override {
        super.setUp();
        addValidators(CANDIDATES - 4);
        epochs = 1;
        for (uint256 i = 0; i < CANDIDATES; ++i) {
            keys[validator(i)] = validatorKeys[i];
            settle(validator(i), VALIDATOR_STAKE, true);
        }
        for (uint256 i = 0; i < 4; ++i) {
            settle(miner(i), MINER_STAKE, false);
            payees.push(miner(i));
        }
        payees.push(validator(0));
        payees.push(validator(1));
        settle(poster, 0, false);
        settle(stranger, 0, false);
        vm.prank(stranger);
        token.approve(address(appeals), type(uint256).max);
        snapshots[1] = snapshot(1);
    }

    /// @dev Time goes on, the step is taken, and everything is looked at.
    modifier step(uint256 wait) {
        vm.warp(vm.getBlockTimestamp() + wait % 2 hours);
        vm.roll(vm.getBlockNumber() + 1 + wait % 20);
        _;
        ++steps;
        observe();
        punished = address(0);
    }

    function contracts() external view returns (ITrainingMarket, IStakeVault, ICommittee, IERC20, IAppeals) {
        return (market, vault, committee, token, appeals);
    }

    function book(uint256 taskId) external view returns (Book memory) {
        return books[taskId];
    }

    function person(address account) external view returns (Person memory) {
        return persons[account];
    }

    function peopleCount() external view returns (uint256) {
        return people.length;
    }

    function owedTo(uint256 taskId, address account) public view returns (uint256) {
        uint256 standing = records[taskId].length;
        for (uint256 i = 0; i < PAYEES && standing != 0; ++i) {
            if (payees[i] == account) return payoutsAt[taskId][standing - 1][i];
        }
        return 0;
    }

    function faultCount(uint256 taskId) external view returns (uint256) {
        return faults[taskId].length;
    }

    function treasuryAccount() external view returns (address) {
        return treasury;
    }

    /// @dev The next call is signed by `account`, whose balance may fall in this step.
    function as_(address account) internal {
        signedIn[account] = steps + 1;
        vm.prank(account);
    }

    /// @dev A valid proof takes stake from `account` in this step.
    function punish(address account, uint256 amount) internal {
        punished = account;
        persons[account].slashed += amount;
    }

    function check(bool ok, bytes32 what) internal {
        if (!ok) broken[what] = true;
    }

    function chosen(uint256 pick) internal view returns (TaskId taskId, Task memory task) {
        taskId = TaskId.wrap(tasks == 0 ? 0 : 1 + pick % tasks);
        task = market.task(taskId);
    }

    /// @dev The first task from a random one on that is disputed, or, with `past`, ever was; none is number 0.
    function disputed(uint256 pick, bool past) internal view returns (TaskId taskId, Task memory task) {
        for (uint256 i = 0; i < tasks; ++i) {
            (taskId, task) = chosen(pick % tasks + i);
            if (past ? appeals.disputesOf(taskId) != 0 : task.status == TaskStatus.Disputed) {
                return (taskId, task);
            }
        }
        return (TaskId.wrap(0), market.task(TaskId.wrap(0)));
    }

    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    /// @dev Signers and rounds of the last certificate.
    function signersOf(uint256 taskId) public view returns (uint64) {
        return lastRecord(TaskId.wrap(taskId)).signers;
    }

    function spanOf(uint256 taskId) public view returns (uint256) {
        CertificateRecord memory r = lastRecord(TaskId.wrap(taskId));
        return r.lastRound == 0 ? 0 : r.lastRound - r.firstRound + 1;
    }

    /// @dev When the window of a certificate began: what counts as the time of its faults.
    function begunAt(TaskId taskId, uint256 index) internal view returns (uint256) {
        uint256 end = market.maturesAt(taskId, records[id(taskId)][index]);
        return end - market.task(taskId).challengeWindow;
    }

    /// @dev Whether certificate number `index` is final.
    function isFinal(TaskId taskId, uint256 index) internal view returns (bool) {
        Task memory t = market.task(taskId);
        if (t.status == TaskStatus.Disputed && index >= t.disputedFrom) return false;
        return time() >= market.maturesAt(taskId, records[id(taskId)][index]);
    }

    /// @dev The oldest certificate that is kept.
    function oldest(Task memory t) internal view returns (uint256) {
        uint256 kept = t.challengeWindow == 0 ? 2 : market.RING();
        return t.certificates > kept ? t.certificates - kept : 0;
    }

    /// @dev The newest final certificate that is kept; the number of certificates when there is none.
    function newestFinal(TaskId taskId) internal view returns (uint256) {
        Task memory t = market.task(taskId);
        for (uint256 i = t.certificates; i > oldest(t); --i) {
            if (isFinal(taskId, i - 1)) return i - 1;
        }
        return t.certificates;
    }

    /// @dev The committee of a task; empty until it is drawn.
    function membersOf(TaskId taskId) internal view returns (address[] memory members) {
        if (committee.panelOf(taskId, 0).members != address(0)) members = committee.membersOfTask(taskId);
    }

    /// @dev Each certificate has one contribution that can be challenged, of one of the miners in turn.
    function contributionAt(TaskId taskId, uint256 index, uint32 lastRound)
        internal
        view
        returns (Contribution memory)
    {
        bytes32 gradient = keccak256(abi.encode(taskId, index));
        return claimOf(taskId, FaultLeaf(lastRound, 0, miner(index % 4), gradient));
    }

    function leafOf(Contribution memory c) internal view returns (ContributionLeaf memory) {
        return ContributionLeaf(c.round, c.shard, c.miner, c.gradient, contributionDigest(c));
    }

    function payoutTree(uint256 taskId, uint256 index) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](PAYEES);
        for (uint256 i = 0; i < PAYEES; ++i) {
            leaves[i] = payoutLeaf(payees[i], payoutsAt[taskId][index][i]);
        }
    }

    /// @dev The faults that certificate number `index` declares.
    function faultTree(uint256 taskId, uint256 index) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](faultsIn[taskId][index]);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = faultLeaf(faults[taskId][i]);
        }
    }

    /// @dev Signatures over `digest` of the members whose bits are set.
    function signed(address[] memory members, bytes32 digest, uint64 signers)
        internal
        view
        returns (bytes memory packed)
    {
        for (uint256 i = 0; i < members.length; ++i) {
            if ((signers >> i) & 1 == 1) packed = bytes.concat(packed, compact(keys[members[i]], digest));
        }
    }

    /// @dev Terms that nothing may ever change.
    function terms(Task memory t) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(abi.encode(t.specHash, t.rounds, t.shards, t.epoch, t.startsAt, t.deadline)),
                keccak256(
                    abi.encode(t.rewardPerShard, t.feePerRound, t.minerStake, t.poster, t.slashPerFault)
                )
            )
        );
    }

    /// @dev What the last certificate left behind.
    function head(
        bytes32 model,
        bytes32 payoutsRoot,
        bytes32 faultsRoot,
        uint256 paidTotal,
        uint256 lastRound
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(model, payoutsRoot, faultsRoot, paidTotal, lastRound));
    }

    function rememberEpoch() internal {
        ++epochs;
        snapshots[epochs] = snapshot(epochs);
    }

    function settle(address account, uint256 stake, bool validates) private {
        people.push(account);
        persons[account].deposited = stake;
        persons[account].stake = uint128(stake);
        persons[account].wallet = uint128(token.balanceOf(account));
        persons[account].validator = validates;
    }

    function snapshot(uint256 epoch) private view returns (bytes32) {
        Epoch e = Epoch.wrap(uint32(epoch));
        return keccak256(abi.encode(committee.membersOf(e), committee.startedAt(e), committee.stakesOf(e)));
    }

    /// @dev Wallets and stakes of all; of what is remembered for ever, one at each step in turn.
    function observe() private {
        for (uint256 i = 0; i < people.length; ++i) {
            observePerson(people[i]);
        }
        // What changes seldom is looked at by turns.
        uint256 turn = steps / 4;
        if (steps % 4 == 0) observeHistory(people[turn % people.length]);
        if (steps % 4 == 1 && tasks != 0) observeTask(1 + turn % tasks);
        uint256 epoch = 1 + turn % epochs;
        if (steps % 4 == 2) check(snapshots[epoch] == snapshot(epoch), "snapshot changed");
    }

    /// @dev Whether a status may follow another one, at once or by several steps.
    function mayFollow(TaskStatus before, TaskStatus now_) private pure returns (bool) {
        if (before == now_) return true;
        if (before == TaskStatus.Closed || before == TaskStatus.Cancelled) return false;
        if (before == TaskStatus.Overturned) return now_ == TaskStatus.Closed;
        if (now_ == TaskStatus.None) return false;
        if (now_ == TaskStatus.Cancelled) return before == TaskStatus.Open || before == TaskStatus.None;
        return before != TaskStatus.Completed || now_ != TaskStatus.Open;
    }

    /// @dev What a certificate sets only grows, but by a verdict.
    function observeTask(uint256 taskId) private {
        Task memory t = market.task(TaskId.wrap(taskId));
        Book storage b = books[taskId];
        uint256 rank = uint256(t.status);
        check(mayFollow(TaskStatus(b.rank), t.status), "lifecycle went back");
        check(t.certificates == records[taskId].length, "another number of certificates");
        address[] memory members = membersOf(TaskId.wrap(taskId));
        if (members.length != 0) {
            bytes32 panel = keccak256(abi.encode(members));
            check(b.panel == 0 || b.panel == panel, "committee changed");
            b.panel = panel;
        }
        check(t.paidTotal >= b.paidTotal, "paidTotal fell");
        check(terms(t) == b.terms, "terms changed");
        CertificateRecord memory r = lastRecord(TaskId.wrap(taskId));
        bytes32 last = head(t.model, r.payoutsRoot, r.faultsRoot, t.paidTotal, t.lastRound);
        if (t.certificates != 0) market.maturesAt(TaskId.wrap(taskId), r);
        check(last == b.head, "head changed");
        (b.rank, b.paidTotal) = (rank, t.paidTotal);
    }

    function observePerson(address account) private {
        Person storage p = persons[account];
        uint256 wallet = token.balanceOf(account);
        uint256 stake = vault.slashableOf(account);
        check(wallet >= p.wallet || signedIn[account] == steps, "wallet fell");
        check(stake >= p.stake || signedIn[account] == steps || account == punished, "stake fell");
        if (p.wallet != wallet || p.stake != stake) (p.wallet, p.stake) = (uint128(wallet), uint128(stake));
    }

    /// @dev The past ends one second ago: this second's checkpoint may still be overwritten.
    function observeHistory(address account) private {
        Person storage p = persons[account];
        if (p.checkedAt != 0) {
            check(vault.slashableAt(account, p.checkedAt) == p.checkedStake, "history changed");
        }
        (p.checkedAt, p.checkedStake) = (time() - 1, vault.slashableAt(account, time() - 1));
    }
}

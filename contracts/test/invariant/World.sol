// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
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
    }

    /// @notice What is known of a person.
    struct Person {
        uint256 deposited;
        uint256 withdrawn;
        uint256 slashed;
        uint256 wallet;
        uint256 stake;
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
    mapping(uint256 taskId => mapping(uint256 payee => uint256)) internal cumulative;
    address[] public people;
    address[] internal payees;
    uint256 public treasuryIn;
    uint256 public tasks;
    uint256 public epochs;
    uint256 public steps;
    address private acting;
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
        snapshots[1] = snapshot(1);
    }

    /// @dev Time goes on, the step is taken, and everything is looked at.
    modifier step(uint256 wait) {
        vm.warp(vm.getBlockTimestamp() + wait % 6 hours);
        vm.roll(vm.getBlockNumber() + 1 + wait % 20);
        _;
        ++steps;
        observe();
        (acting, punished) = (address(0), address(0));
    }

    function contracts() external view returns (ITrainingMarket, IStakeVault, ICommittee, IERC20) {
        return (market, vault, committee, token);
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
        for (uint256 i = 0; i < PAYEES; ++i) {
            if (payees[i] == account) return cumulative[taskId][i];
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
        acting = account;
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

    /// @dev Without a challenge window a certificate is final when it is accepted.
    function faultsAt(TaskId taskId) internal view returns (uint256) {
        return market.maturesAt(taskId, lastRecord(taskId));
    }

    function payoutTree(uint256 taskId) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](PAYEES);
        for (uint256 i = 0; i < PAYEES; ++i) {
            leaves[i] = payoutLeaf(payees[i], cumulative[taskId][i]);
        }
    }

    function faultTree(uint256 taskId) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](faults[taskId].length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = faultLeaf(faults[taskId][i]);
        }
    }

    /// @dev Signatures over `digest` of the members of the epoch whose bits are set.
    function signed(Epoch epoch, bytes32 digest, uint64 signers) internal view returns (bytes memory packed) {
        address[] memory members = committee.membersOf(epoch);
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
        persons[account].stake = stake;
        persons[account].wallet = token.balanceOf(account);
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
        observeHistory(people[steps % people.length]);
        if (tasks != 0) observeTask(1 + steps % tasks);
        uint256 epoch = 1 + steps % epochs;
        check(snapshots[epoch] == snapshot(epoch), "snapshot changed");
    }

    /// @dev None < Open < Completed < Closed, Cancelled. What a certificate sets only grows.
    function observeTask(uint256 taskId) private {
        Task memory t = market.task(TaskId.wrap(taskId));
        Book storage b = books[taskId];
        uint256 rank = t.status == TaskStatus.Cancelled ? uint256(TaskStatus.Closed) : uint256(t.status);
        check(rank >= b.rank, "lifecycle went back");
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
        check(wallet >= p.wallet || account == acting, "wallet fell");
        check(stake >= p.stake || account == acting || account == punished, "stake fell");
        if (p.wallet != wallet) p.wallet = wallet;
        if (p.stake != stake) p.stake = stake;
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

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {
    CertificateRecord,
    Contribution,
    ContributionLeaf,
    FaultLeaf,
    PayoutRecord,
    RoundCertificate
} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {Task, TaskParams} from "../../src/types/Task.sol";
import {IFaucet} from "./IFaucet.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {Test} from "./Test.sol";

/// @notice A wired deployment with validators that joined, miners that staked, and a poster with money.
abstract contract MarketFixture is Test {
    uint256 internal constant VALIDATOR_STAKE = 1_000 ether;
    uint256 internal constant MINER_STAKE = 100 ether;
    uint256 internal constant UNBONDING_DELAY = 45 days;
    uint256 internal constant EPOCH_LENGTH = 10;
    uint256 internal constant MAX_BOUNTY = 5 ether;
    uint256 internal constant BOND = 10 ether;
    uint256 internal constant COURT_TERM = 3 days;
    uint256 internal constant ANSWER_TERM = 1 days;
    uint32 internal constant WINDOW = 1 days;
    uint32 internal constant ROUNDS = 10;
    uint32 internal constant SHARDS = 4;
    uint128 internal constant REWARD = 1 ether;
    uint128 internal constant FEE = 1 ether;
    uint128 internal constant SLASH = 40 ether;
    uint256 internal constant ESCROW = uint256(ROUNDS) * (uint256(SHARDS) * REWARD + FEE);
    uint64 internal constant START_DELAY = 1 hours;
    uint64 internal constant LIFE = 10 days;
    uint64 internal constant THREE = 7;

    IERC20 internal token;
    IStakeVault internal vault;
    ICommittee internal committee;
    ITrainingMarket internal market;
    IAppeals internal appeals;
    /// @dev Where a test is going to create a contest contract; zero where none does.
    address internal contestAt;
    ICanaries internal canaries;
    /// @dev Where the canaries will be; every vault names it.
    address internal canariesAt = address(0xCA);

    address internal treasury = address(0x7EA5);
    uint256 internal posterKey = 0xB0B;
    address internal poster;
    address internal stranger = address(0x5712A46E);
    uint256[] internal validatorKeys;
    uint256[] internal minerKeys;
    /// @dev What `certify` had accepted, by task.
    mapping(uint256 taskId => CertificateRecord[]) internal records;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1_000);
        deploy(newToken());
        poster = vm.addr(posterKey);
        fund(poster, 1_000 * ESCROW);
        vm.prank(poster);
        token.approve(address(market), type(uint256).max);
        addValidators(4);
        committee.advanceEpoch();
        for (uint256 i = 0; i < 4; ++i) {
            minerKeys.push(0x3000 + i);
            stakeAs(miner(i), MINER_STAKE);
        }
    }

    function newToken() internal virtual returns (IERC20) {
        return IERC20(create("DevToken.sol:DevToken", ""));
    }

    /// @dev The order of a real deployment: vault, committee, appeals, market, canaries, by one account without gaps.
    function deploy(IERC20 token_) internal virtual {
        token = token_;
        uint256 nonce = vm.getNonce(address(this));
        address committeeAt = vm.computeCreateAddress(address(this), nonce + 1);
        address appealsAt = vm.computeCreateAddress(address(this), nonce + 2);
        address marketAt = vm.computeCreateAddress(address(this), nonce + 3);
        canariesAt = vm.computeCreateAddress(address(this), nonce + 4);
        vault = newVault(committeeAt, marketAt, appealsAt, UNBONDING_DELAY);
        committee = newCommittee(vault, marketAt);
        appeals = newAppeals(vault, marketAt);
        market = newMarket(vault, committee, appeals);
        canaries = newCanaries(market, ANSWER_TERM);
    }

    function newVault(address slasherA, address slasherB, address slasherC, uint256 delay)
        internal
        returns (IStakeVault)
    {
        address[] memory slashers = new address[](contestAt == address(0) ? 4 : 5);
        (slashers[0], slashers[1], slashers[2], slashers[3]) = (slasherA, slasherB, slasherC, canariesAt);
        if (contestAt != address(0)) slashers[4] = contestAt;
        bytes memory arguments = abi.encode(token, delay, MAX_BOUNTY, treasury, slashers);
        return IStakeVault(create("StakeVault.sol:StakeVault", arguments));
    }

    function newCommittee(IStakeVault vault_, address market_) internal returns (ICommittee) {
        bytes memory arguments = abi.encode(vault_, market_, VALIDATOR_STAKE, EPOCH_LENGTH);
        return ICommittee(create("Committee.sol:Committee", arguments));
    }

    function newAppeals(IStakeVault vault_, address market_) internal returns (IAppeals) {
        bytes memory arguments = abi.encode(token, vault_, market_, BOND, COURT_TERM);
        return IAppeals(create("Appeals.sol:Appeals", arguments));
    }

    function newMarket(IStakeVault vault_, ICommittee committee_, IAppeals appeals_)
        internal
        returns (ITrainingMarket)
    {
        bytes memory arguments = abi.encode(token, vault_, committee_, appeals_);
        return ITrainingMarket(create("TrainingMarket.sol:TrainingMarket", arguments));
    }

    function newCanaries(ITrainingMarket market_, uint256 answerTerm) internal returns (ICanaries) {
        return ICanaries(create("Canaries.sol:Canaries", abi.encode(market_, answerTerm)));
    }

    function fund(address account, uint256 amount) internal virtual {
        while (token.balanceOf(account) < amount) {
            IFaucet(address(token)).faucet(account);
        }
    }

    function stakeAs(address account, uint256 amount) internal {
        fund(account, amount);
        vm.startPrank(account);
        token.approve(address(vault), amount);
        vault.deposit(amount);
        vm.stopPrank();
    }

    /// @dev Keys are kept ascending by address, as the snapshot orders its members.
    function addValidators(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = 0x1000 + validatorKeys.length;
            validatorKeys.push(key);
            stakeAs(vm.addr(key), VALIDATOR_STAKE);
            vm.prank(vm.addr(key));
            committee.join("ws://127.0.0.1:9000");
        }
        for (uint256 i = 1; i < validatorKeys.length; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(validatorKeys[j - 1]) > vm.addr(validatorKeys[j]); --j) {
                (validatorKeys[j - 1], validatorKeys[j]) = (validatorKeys[j], validatorKeys[j - 1]);
            }
        }
    }

    function validator(uint256 index) internal view returns (address) {
        return vm.addr(validatorKeys[index]);
    }

    function miner(uint256 index) internal view returns (address) {
        return vm.addr(minerKeys[index]);
    }

    function someParams() internal view returns (TaskParams memory params) {
        uint64 time = uint64(vm.getBlockTimestamp());
        params = TaskParams({
            specHash: keccak256("spec"),
            genesisModel: keccak256("genesis"),
            rounds: ROUNDS,
            shards: SHARDS,
            rewardPerShard: REWARD,
            feePerRound: FEE,
            minerStake: uint128(MINER_STAKE),
            slashPerFault: SLASH,
            startsAt: time + START_DELAY,
            deadline: time + LIFE,
            challengeWindow: 0,
            committeeSize: 0
        });
    }

    function createTask() internal returns (TaskId) {
        return createTask(someParams());
    }

    function createTask(TaskParams memory params) internal returns (TaskId) {
        vm.prank(poster);
        return market.createTask(params);
    }

    /// @dev A started task whose certificates can be challenged for WINDOW seconds.
    function challengeableTask() internal returns (TaskId taskId) {
        TaskParams memory params = someParams();
        params.challengeWindow = WINDOW;
        taskId = createTask(params);
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
    }

    function startedTask() internal returns (TaskId taskId) {
        taskId = createTask();
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
    }

    /// @dev Certificate that the market accepts next: one round, all shards rewarded to the miners in turn.
    function nextCertificate(TaskId taskId) internal view returns (RoundCertificate memory) {
        return nextCertificate(taskId, 1);
    }

    function nextCertificate(TaskId taskId, uint32 span) internal view returns (RoundCertificate memory c) {
        Task memory task = market.task(taskId);
        c.taskId = taskId;
        c.firstRound = task.lastRound + 1;
        c.lastRound = task.lastRound + span;
        c.epoch = task.epoch;
        c.specHash = task.specHash;
        c.parentModel = task.model;
        c.model = keccak256(abi.encode("model", c.lastRound));
        c.contributionsRoot = keccak256(abi.encode("contributions", c.lastRound));
        CertificateRecord[] storage past = records[id(taskId)];
        if (past.length != 0) c.faultsRoot = past[past.length - 1].faultsRoot;
        c.paidTotal = uint128(c.lastRound) * SHARDS * REWARD;
        c.payoutsRoot = MerkleTree.root(payoutLeaves(c.paidTotal));
        c.segment = keccak256(abi.encode("segment", c.lastRound));
    }

    /// @dev `total` split evenly over the four miners.
    function payoutLeaves(uint256 total) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](minerKeys.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = payoutLeaf(miner(i), total / leaves.length);
        }
    }

    function payoutLeaf(address account, uint256 cumulative) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
    }

    function faultLeaf(FaultLeaf memory leaf) internal pure returns (bytes32) {
        return
            keccak256(bytes.concat(keccak256(abi.encode(leaf.round, leaf.shard, leaf.miner, leaf.gradient))));
    }

    /// @dev What the miner of a fault had claimed. No call but to cheatcodes, so that a prank stays for what follows.
    function claimOf(TaskId taskId, FaultLeaf memory leaf) internal pure returns (Contribution memory) {
        return Contribution({
            taskId: taskId,
            round: leaf.round,
            shard: leaf.shard,
            miner: leaf.miner,
            specHash: keccak256("spec"),
            parentModel: keccak256(abi.encode("parent", leaf.round)),
            gradient: leaf.gradient,
            batches: keccak256(abi.encode("batches", leaf.gradient)),
            samples: 32,
            lossMicros: 1_000_000
        });
    }

    /// @dev EIP-712, written out anew rather than taken from the library that is under test.
    function contributionDigest(Contribution memory c) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("ProofOfTraining"),
                keccak256("1"),
                block.chainid,
                market
            )
        );
        bytes32 typehash = keccak256(
            "Contribution(uint256 taskId,uint32 round,uint32 shard,address miner,bytes32 specHash,bytes32 parentModel,bytes32 gradient,bytes32 batches,uint32 samples,uint64 lossMicros)"
        );
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(typehash, c))));
    }

    /// @dev Its miner's signature.
    function signedBy(Contribution memory c) internal view returns (bytes memory) {
        return compact(minerKey(c.miner), contributionDigest(c));
    }

    function signedClaim(TaskId taskId, FaultLeaf memory leaf) internal view returns (bytes memory) {
        return signedBy(claimOf(taskId, leaf));
    }

    function minerKey(address account) internal view virtual returns (uint256) {
        for (uint256 i = 0; i < minerKeys.length; ++i) {
            if (miner(i) == account) return minerKeys[i];
        }
        revert("no miner");
    }

    function contributionLeaf(ContributionLeaf memory leaf) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(leaf))));
    }

    function minerProof(TaskId taskId, uint256 index) internal view returns (bytes32[] memory) {
        return MerkleTree.proof(payoutLeaves(market.task(taskId).paidTotal), index);
    }

    function minerDue(TaskId taskId) internal view returns (uint256) {
        return market.task(taskId).paidTotal / minerKeys.length;
    }

    function someFault(uint256 index) internal view returns (FaultLeaf memory) {
        return FaultLeaf({round: 1, shard: uint32(index), miner: miner(index), gradient: keccak256("zeros")});
    }

    function signatures(RoundCertificate memory certificate, uint64 signers)
        internal
        view
        returns (bytes memory)
    {
        return signaturesOf(market.certificateDigest(certificate), signers);
    }

    function signaturesOf(bytes32 digest, uint64 signers) internal view returns (bytes memory packed) {
        for (uint256 i = 0; i < validatorKeys.length; ++i) {
            if ((signers >> i) & 1 == 1) packed = bytes.concat(packed, compact(validatorKeys[i], digest));
        }
    }

    /// @dev Signatures of the members of any list, for the set bits, ascending.
    function panelSignatures(address[] memory members, bytes32 digest, uint64 signers)
        internal
        view
        returns (bytes memory packed)
    {
        for (uint256 i = 0; i < members.length; ++i) {
            if ((signers >> i) & 1 == 1) packed = bytes.concat(packed, compact(keyOf(members[i]), digest));
        }
    }

    function keyOf(address account) internal view returns (uint256) {
        for (uint256 i = 0; i < validatorKeys.length; ++i) {
            if (validator(i) == account) return validatorKeys[i];
        }
        revert("no validator");
    }

    function compact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        return abi.encodePacked(r, vs);
    }

    function certify(RoundCertificate memory certificate) internal {
        certify(certificate, THREE);
    }

    function certify(RoundCertificate memory certificate, uint64 signers) internal {
        uint256 index = market.task(certificate.taskId).certificates;
        market.certify(certificate, signers, signatures(certificate, signers));
        records[id(certificate.taskId)].push(recordOf(certificate, signers, index));
    }

    function recordOf(RoundCertificate memory c, uint64 signers, uint256 index)
        internal
        pure
        returns (CertificateRecord memory)
    {
        return CertificateRecord({
            index: uint32(index),
            paidTotal: c.paidTotal,
            payoutsRoot: c.payoutsRoot,
            firstRound: c.firstRound,
            lastRound: c.lastRound,
            signers: signers,
            model: c.model,
            contributionsRoot: c.contributionsRoot,
            faultsRoot: c.faultsRoot
        });
    }

    /// @dev Record of the last certificate that `certify` had accepted; an empty one when there is none.
    function lastRecord(TaskId taskId) internal view returns (CertificateRecord memory record) {
        CertificateRecord[] storage past = records[id(taskId)];
        if (past.length != 0) record = past[past.length - 1];
    }

    function payoutRecord(CertificateRecord memory r) internal pure returns (PayoutRecord memory) {
        bytes memory details =
            abi.encode(r.firstRound, r.lastRound, r.signers, r.model, r.contributionsRoot, r.faultsRoot);
        return PayoutRecord(r.index, r.paidTotal, keccak256(details));
    }

    /// @dev What a claim shows of the last certificate.
    function lastPayouts(TaskId taskId) internal view returns (PayoutRecord memory) {
        return payoutRecord(lastRecord(taskId));
    }

    /// @dev Signs first, so that the expected revert is the market's and not a view's.
    function certifyExpecting(RoundCertificate memory certificate, bytes memory revertData) internal {
        bytes memory signed = signatures(certificate, THREE);
        vm.expectRevert(revertData);
        market.certify(certificate, THREE, signed);
    }

    function certifyAll(TaskId taskId) internal {
        certify(nextCertificate(taskId, ROUNDS - market.task(taskId).lastRound));
    }

    /// @dev Certifies one round together with a fault of miner 0 and returns the leaf; the proof is empty.
    function certifyFault(TaskId taskId) internal returns (FaultLeaf memory leaf) {
        leaf = someFault(0);
        RoundCertificate memory certificate = nextCertificate(taskId);
        certificate.faultsRoot = faultLeaf(leaf);
        certify(certificate);
    }

    function permitFor(uint256 key, address spender, uint256 value)
        internal
        view
        returns (Permit memory permit)
    {
        IERC20Permit t = IERC20Permit(address(token));
        permit.value = value;
        permit.deadline = vm.getBlockTimestamp() + 1 hours;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                vm.addr(key),
                spender,
                value,
                t.nonces(vm.addr(key)),
                permit.deadline
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", t.DOMAIN_SEPARATOR(), structHash));
        (permit.v, permit.r, permit.s) = vm.sign(key, digest);
    }

    function id(TaskId taskId) internal pure returns (uint256) {
        return TaskId.unwrap(taskId);
    }

    function epochOne() internal pure returns (Epoch) {
        return Epoch.wrap(1);
    }

    function noProof() internal pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }
}

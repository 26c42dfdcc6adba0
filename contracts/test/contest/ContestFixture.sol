// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    LearningBlock,
    ScoreCertificate
} from "../../src/types/Contest.sol";
import {Epoch} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A deployment with contests: the four miners of the market take part in them.
abstract contract ContestFixture is MarketFixture {
    uint128 internal constant PRIZE = 50 ether;
    uint128 internal constant FEES = 3 ether;
    uint128 internal constant COMPENSATION = 2 ether;
    uint32 internal constant ENTRIES = 8;
    uint256 internal constant PAID_IN = uint256(PRIZE) + FEES + uint256(COMPENSATION) * ENTRIES;
    uint32 internal constant ANSWERS = 360;
    uint32 internal constant TARGET = 340;
    uint32 internal constant LEAST = 100;
    uint32 internal constant NONE = type(uint32).max;
    uint32 internal constant TERM = 1 hours;
    bytes32 internal constant KEY = keccak256("key");
    uint256 internal constant PUZZLE_TARGET = 1 << 238;

    ILearningContest internal contest;
    IContestPanels internal panels;

    function setUp() public virtual override {
        super.setUp();
        panels = contest.PANELS();
        vm.prank(poster);
        token.approve(address(contest), type(uint256).max);
        fund(stranger, 10 * BOND);
        vm.prank(stranger);
        token.approve(address(contest), type(uint256).max);
    }

    function deploy(IERC20 token_) internal virtual override {
        contestAt = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 5);
        super.deploy(token_);
        contest = newContest();
    }

    function newContest() internal returns (ILearningContest) {
        bytes memory arguments = abi.encode(vault, committee, BOND, COURT_TERM);
        return ILearningContest(create("LearningContest.sol:LearningContest", arguments));
    }

    function someContest() internal view returns (ContestParams memory params) {
        params = ContestParams({
            specHash: keccak256("contest spec"),
            testSet: keccak256("test set"),
            keyHash: keccak256(abi.encode(KEY)),
            testAnswers: ANSWERS,
            targetCorrect: TARGET,
            minCorrect: LEAST,
            maxEntries: ENTRIES,
            reward: PRIZE,
            fee: FEES,
            compensation: COMPENSATION,
            minerStake: uint128(MINER_STAKE),
            slashPerFault: SLASH,
            commitDeadline: uint64(vm.getBlockTimestamp()) + TERM,
            releaseTerm: TERM,
            revealTerm: TERM,
            scoreTerm: TERM,
            challengeWindow: WINDOW,
            committeeSize: 0
        });
    }

    function posted() internal returns (ContestId) {
        return posted(someContest());
    }

    function posted(ContestParams memory params) internal returns (ContestId) {
        vm.prank(poster);
        return contest.post(params);
    }

    function modelOf(uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("model", index));
    }

    function saltOf(uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", index));
    }

    function traceOf(uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("trace", index));
    }

    function commitmentOf(ContestId contestId, uint256 index) internal view returns (bytes32) {
        return
            contest.commitmentDigest(contestId, miner(index), modelOf(index), traceOf(index), saltOf(index));
    }

    function enter(ContestId contestId, uint256 index) internal {
        bytes32 commitment = commitmentOf(contestId, index);
        vm.prank(miner(index));
        contest.commit(contestId, commitment);
    }

    /// @dev A contest that the first `count` miners entered, in their order.
    function entered(uint256 count) internal returns (ContestId contestId) {
        contestId = posted();
        for (uint256 i = 0; i < count; ++i) {
            enter(contestId, i);
        }
    }

    function release(ContestId contestId) internal {
        vm.warp(uint256(contest.paramsOf(contestId).commitDeadline) + 1);
        vm.prank(poster);
        contest.release(contestId, KEY);
    }

    function show(ContestId contestId, uint256 index) internal {
        vm.prank(miner(index));
        contest.reveal(contestId, modelOf(index), traceOf(index), saltOf(index));
    }

    /// @dev A contest whose `count` entries are all revealed.
    function revealed(uint256 count) internal returns (ContestId contestId) {
        contestId = entered(count);
        release(contestId);
        for (uint256 i = 0; i < count; ++i) {
            show(contestId, i);
        }
    }

    function scoresOf(uint32 a, uint32 b, uint32 c) internal pure returns (uint32[] memory scores) {
        scores = new uint32[](3);
        (scores[0], scores[1], scores[2]) = (a, b, c);
    }

    function certificateOf(ContestId contestId, uint32[] memory scores)
        internal
        view
        returns (ScoreCertificate memory)
    {
        Contest memory state = contest.contest(contestId);
        ContestParams memory params = contest.paramsOf(contestId);
        return ScoreCertificate({
            contestId: contestId,
            instance: state.status == ContestStatus.Challenged ? 1 : 0,
            epoch: state.epoch,
            specHash: params.specHash,
            testSet: params.testSet,
            revealed: state.revealed,
            frauds: 0,
            badTestSet: false,
            scores: keccak256(abi.encodePacked(scores)),
            transactions: bytes32(0),
            record: keccak256("record")
        });
    }

    function sign(ScoreCertificate memory certificate, uint64 signers) internal view returns (bytes memory) {
        return signaturesOf(contest.scoreDigest(certificate), signers);
    }

    function score(ContestId contestId, uint32[] memory scores) internal {
        score(certificateOf(contestId, scores), scores, THREE);
    }

    function score(ScoreCertificate memory certificate, uint32[] memory scores, uint64 signers) internal {
        bytes memory signed = sign(certificate, signers);
        contest.certify(certificate, scores, signers, signed);
    }

    /// @dev Signs first, so that the expected revert is not that of a view.
    function scoreExpecting(
        ScoreCertificate memory certificate,
        uint32[] memory scores,
        bytes memory revertData
    ) internal {
        bytes memory signed = sign(certificate, THREE);
        vm.expectRevert(revertData);
        contest.certify(certificate, scores, THREE, signed);
    }

    /// @dev The poster released something else than it promised.
    function badSet(ContestId contestId) internal view returns (ScoreCertificate memory certificate) {
        certificate = certificateOf(contestId, new uint32[](0));
        certificate.badTestSet = true;
    }

    function challengeAs(address account, ContestId contestId) internal {
        vm.prank(account);
        contest.challenge(contestId);
    }

    /// @dev A challenged contest whose court is drawn; with four validators it is all of them.
    function challenged(uint32[] memory scores) internal returns (ContestId contestId) {
        contestId = revealed(scores.length);
        score(contestId, scores);
        challengeAs(stranger, contestId);
        vm.roll(vm.getBlockNumber() + panels.DRAW_DELAY() + 1);
        panels.draw(contestId, 1);
    }

    function closeLate(ContestId contestId) internal {
        vm.warp(contest.contest(contestId).endsAt);
        contest.close(contestId);
    }

    /// @dev A puzzle that follows the newest block, one second later; its nonce is still to be found.
    function puzzleBlock(address solver) internal view returns (LearningBlock memory added) {
        (added.kind, added.parent, added.height) = (2, contest.head(), contest.height() + 1);
        (added.winner, added.time, added.target) = (solver, contest.headTime() + 1, PUZZLE_TARGET);
    }

    /// @dev Real hashing: 2^18 headers on average.
    function solve(LearningBlock memory added) internal view returns (LearningBlock memory) {
        bytes memory header = abi.encode(added);
        (uint256 nonce, uint256 target, bool hashed) = (0, added.target, true);
        assembly ("memory-safe") {
            let data := add(header, 32)
            for {} hashed { nonce := add(nonce, 1) } {
                mstore(add(data, 384), nonce)
                hashed := staticcall(gas(), 2, data, 416, 0, 32)
                if iszero(gt(mload(0), target)) { break }
            }
        }
        assertTrue(hashed, "sha256");
        added.nonce = nonce;
        return added;
    }

    function statusOf(ContestId contestId) internal view returns (uint256) {
        return uint256(contest.contest(contestId).status);
    }

    function outcomeOf(ContestId contestId) internal view returns (uint256) {
        return uint256(contest.contest(contestId).outcome);
    }

    /// @dev Everything that is owed to the people of these tests.
    function debts() internal view returns (uint256 sum) {
        sum = contest.owed(poster) + contest.owed(treasury) + contest.owed(stranger);
        for (uint256 i = 0; i < minerKeys.length; ++i) {
            sum += contest.owed(miner(i));
        }
        for (uint256 i = 0; i < validatorKeys.length; ++i) {
            sum += contest.owed(validator(i));
        }
    }

    function tooEarly(ContestId contestId, uint256 from) internal view returns (bytes memory) {
        return
            abi.encodeWithSelector(
                ILearningContest.TooEarly.selector, contestId, vm.getBlockTimestamp(), from
            );
    }

    function tooLate(ContestId contestId, uint256 until) internal view returns (bytes memory) {
        return
            abi.encodeWithSelector(
                ILearningContest.TooLate.selector, contestId, vm.getBlockTimestamp(), until
            );
    }

    function statusIs(ContestId contestId, ContestStatus status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ILearningContest.ContestIs.selector, contestId, status);
    }

    function mismatch(ContestId contestId, string memory field) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ILearningContest.CertificateMismatch.selector, contestId, field);
    }
}

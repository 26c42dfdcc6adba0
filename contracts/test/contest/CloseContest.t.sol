// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {
    ContestId,
    ContestParams,
    ContestStatus,
    LearningBlock,
    Outcome,
    ScoreCertificate
} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract CloseContestTest is ContestFixture {
    function test_close_revertsIfUnknownOrClosed() public {
        vm.expectPartialRevert(ILearningContest.ContestUnknown.selector);
        contest.close(ContestId.wrap(1));
        ContestId contestId = posted();
        vm.prank(poster);
        contest.cancel(contestId);
        vm.expectRevert(statusIs(contestId, ContestStatus.Closed));
        contest.close(contestId);
    }

    function test_close__nobodyEntered__refundsEverything() public {
        ContestId contestId = posted();
        uint256 last = contest.paramsOf(contestId).commitDeadline;
        vm.warp(last);
        vm.expectRevert(tooEarly(contestId, last + 1));
        contest.close(contestId);
        vm.warp(last + 1);
        closes(contestId, Outcome.NoEntries, address(0), PAID_IN);
    }

    /// @dev Miners are made whole, and what was put by for entries that nobody made is lost to the poster.
    function test_close__keyNotReleased__minersAreMadeWhole() public {
        ContestId contestId = entered(3);
        uint256 last = uint256(contest.paramsOf(contestId).commitDeadline) + TERM;
        vm.warp(last);
        vm.expectRevert(tooEarly(contestId, last + 1));
        contest.close(contestId);
        vm.warp(last + 1);
        closes(contestId, Outcome.NotReleased, address(0), uint256(PRIZE) + FEES);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(contest.owed(miner(i)), COMPENSATION, "miner");
        }
        assertEq(contest.owed(treasury), uint256(COMPENSATION) * (ENTRIES - 3), "treasury");
    }

    function test_close__nothingRevealed__refundsEverything() public {
        ContestId contestId = entered(3);
        release(contestId);
        uint256 last = contest.contest(contestId).endsAt;
        vm.warp(last);
        vm.expectRevert(tooEarly(contestId, last + 1));
        contest.close(contestId);
        vm.warp(last + 1);
        closes(contestId, Outcome.NothingRevealed, address(0), PAID_IN);
    }

    function test_close__committeeSilent__refundsEverything() public {
        ContestId contestId = revealed(3);
        uint256 last = uint256(contest.contest(contestId).endsAt) + TERM;
        vm.warp(last);
        vm.expectRevert(tooEarly(contestId, last + 1));
        contest.close(contestId);
        vm.warp(last + 1);
        closes(contestId, Outcome.NotScored, address(0), PAID_IN);
    }

    function test_close__badTestSet__minersAreMadeWholeAndSignersPaid() public {
        ContestId contestId = revealed(3);
        score(badSet(contestId), new uint32[](0), THREE);
        vm.warp(contest.contest(contestId).endsAt);
        closes(contestId, Outcome.BadTestSet, address(0), PRIZE);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(contest.owed(miner(i)), COMPENSATION, "miner");
            assertEq(contest.owed(validator(i)), FEES / 3, "signer");
        }
    }

    function test_close__nobodyGoodEnough__prizeComesBack() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(1, 2, NONE));
        vm.warp(contest.contest(contestId).endsAt);
        closes(contestId, Outcome.NoWinner, address(0), PAID_IN - FEES);
        assertEq(contest.height(), 0, "no block");
    }

    function test_close__won__paysTheWinnerAndAppendsABlock() public {
        bytes32 parent = contest.head();
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(150, TARGET, 350));
        uint256 windowEnds = contest.contest(contestId).endsAt;
        vm.warp(windowEnds - 1);
        vm.expectRevert(tooEarly(contestId, windowEnds));
        contest.close(contestId);
        vm.warp(windowEnds);
        closes(contestId, Outcome.Won, miner(1), PAID_IN - PRIZE - FEES);
        assertEq(contest.owed(miner(1)), PRIZE, "prize");
        LearningBlock memory added;
        (added.kind, added.parent, added.height, added.winner) = (1, parent, 1, miner(1));
        (added.task, added.model, added.correct, added.answers) = (contestId, modelOf(1), TARGET, ANSWERS);
        added.time = uint64(windowEnds);
        assertEq(contest.head(), sha256(abi.encode(added)), "head");
        assertEq(contest.height(), 1, "height");
    }

    function test_close__feeDoesNotDivide__dustIsThePosters() public {
        ContestParams memory p = someContest();
        p.fee = 4;
        ContestId contestId = posted(p);
        for (uint256 i = 0; i < 3; ++i) {
            enter(contestId, i);
        }
        release(contestId);
        for (uint256 i = 0; i < 3; ++i) {
            show(contestId, i);
        }
        score(contestId, scoresOf(200, 1, 1));
        closeLate(contestId);
        assertEq(contest.owed(validator(0)), 1, "share");
        assertEq(contest.owed(poster), uint256(COMPENSATION) * ENTRIES + 1, "dust");
        assertEq(debts(), token.balanceOf(address(contest)), "nothing is lost");
    }

    function test_close__falseTrace__minerLosesStakeAndThePosterIsTheVictim() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(150, NONE, 120);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 2;
        score(c, scores, THREE);
        uint256 before = token.balanceOf(poster);
        closeLate(contestId);
        assertEq(vault.stakeOf(miner(1)), MINER_STAKE - SLASH, "stake");
        assertEq(token.balanceOf(poster) - before, SLASH / 2, "victim");
        assertEq(contest.owed(miner(0)), PRIZE, "the honest best wins");
    }

    function test_close__falseTracesAroundAnHonestOne__eachPaysOnce() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(NONE, 150, NONE);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 5;
        score(c, scores, THREE);
        closeLate(contestId);
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE - SLASH, "first");
        assertEq(vault.stakeOf(miner(1)), MINER_STAKE, "honest");
        assertEq(vault.stakeOf(miner(2)), MINER_STAKE - SLASH, "third");
    }

    function test_close__falseTraceThatCostsNothing__endsAllTheSame() public {
        ContestParams memory p = someContest();
        p.slashPerFault = 0;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        closesTakingNothing(contestId);
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE, "stake");
    }

    function test_close__falseTraceOfWhoHasNothingLeft__endsAllTheSame() public {
        ContestId contestId = entered(1);
        vm.warp(vm.getBlockTimestamp() + 1);
        loseAll();
        closesTakingNothing(contestId);
    }

    /// @dev What was lost in the second of the commitment did not stand for it, and what was staked later does not.
    function test_close__falseTraceOfWhoseStakeIsAllNew__costsNothing() public {
        ContestId contestId = entered(1);
        loseAll();
        vm.warp(vm.getBlockTimestamp() + 1);
        stakeAs(miner(0), MINER_STAKE);
        closesTakingNothing(contestId);
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE, "stake");
    }

    /// @dev Two contests may end in one second: the learning chain's own clock goes on.
    function test_close__twiceInOneSecond__blocksFollowEachOther() public {
        ContestId one = revealed(3);
        ContestId two = revealed(3);
        uint32[] memory scores = scoresOf(150, 200, 250);
        ScoreCertificate memory c = certificateOf(two, scores);
        c.transactions = keccak256("transactions");
        score(one, scores);
        score(c, scores, THREE);
        closeLate(one);
        uint64 time = contest.headTime();
        bytes32 parent = contest.head();
        assertEq(time, vm.getBlockTimestamp(), "time");
        contest.close(two);
        LearningBlock memory added;
        (added.kind, added.parent, added.height, added.winner) = (1, parent, 2, miner(2));
        (added.task, added.model, added.correct, added.answers) = (two, modelOf(2), 250, ANSWERS);
        (added.transactions, added.time) = (c.transactions, time + 1);
        assertEq(contest.head(), sha256(abi.encode(added)), "head");
        assertEq(contest.headTime(), time + 1, "later than its parent");
    }

    function test_collect__owed__paysOnce() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(150, 200, 250));
        closeLate(contestId);
        uint256 before = token.balanceOf(miner(2));
        contest.collect(miner(2));
        assertEq(token.balanceOf(miner(2)) - before, PRIZE, "paid");
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.NothingOwed.selector, miner(2)));
        contest.collect(miner(2));
    }

    /// @dev The only entry is called a fraud, and the contest ends without anybody's stake.
    function closesTakingNothing(ContestId contestId) private {
        release(contestId);
        show(contestId, 0);
        uint32[] memory scores = new uint32[](1);
        scores[0] = NONE;
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 1;
        score(c, scores, THREE);
        vm.warp(contest.contest(contestId).endsAt);
        vm.expectEmit(address(contest));
        emit ILearningContest.EntrySlashed(contestId, 0, miner(0), 0);
        closes(contestId, Outcome.NoWinner, address(0), PAID_IN - FEES);
    }

    /// @dev Another contract takes all stake of the first miner.
    function loseAll() private {
        address account = miner(0);
        uint256 time = vm.getBlockTimestamp();
        vm.prank(address(market));
        vault.slash(account, MINER_STAKE, time, address(0), address(0));
    }

    function closes(ContestId contestId, Outcome outcome, address winner, uint256 refund) private {
        vm.expectEmit(address(contest));
        emit ILearningContest.ContestClosed(contestId, outcome, winner, refund);
        contest.close(contestId);
        assertEq(outcomeOf(contestId), uint256(outcome), "outcome");
        assertEq(contest.owed(poster), refund, "refund");
        assertEq(debts(), token.balanceOf(address(contest)), "all money is owed to somebody");
        assertEq(contest.held(contestId), 0, "held");
    }
}

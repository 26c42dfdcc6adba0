// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    LearningBlock,
    Outcome,
    ScoreCertificate
} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";
import {Test} from "../utils/Test.sol";

/// @notice Anybody does anything about a few contests, in any order, with time going on.
contract ContestHandler is ContestFixture {
    uint256 private constant MAX_CONTESTS = 4;
    uint256 private constant SOLVED = 3;

    /// @dev Prizes that were booked, by contest.
    mapping(uint256 contestId => uint256) public prizes;
    uint256 public bonds;
    uint256 public puzzles;
    /// @dev Whether a puzzle was taken while somebody was to train.
    bool public intruded;
    /// @dev What posters and challengers paid in, and what was collected.
    uint256 public paidIn;
    uint256 public paidOut;
    /// @dev Last second of the longest way through a contest.
    mapping(uint256 contestId => uint256) public longest;
    bool public chainBroken;

    LearningBlock[] private _solved;

    function setUp() public override {
        super.setUp();
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        solveSome();
    }

    /// @dev Puzzles that follow the genesis and each other: the search is too slow to be done in every step.
    function solveSome() private {
        LearningBlock memory added = puzzleBlock(stranger);
        for (uint256 i = 0; i < SOLVED; ++i) {
            added = solve(added);
            _solved.push(added);
            (added.parent, added.height, added.time) =
            (sha256(abi.encode(added)), added.height + 1, added.time + 1);
        }
    }

    modifier later(uint256 wait) {
        vm.warp(vm.getBlockTimestamp() + wait % 1 hours);
        vm.roll(vm.getBlockNumber() + 1 + wait % 4);
        _;
    }

    function openContest(uint256 wait, uint8 committeeSize) external later(wait) {
        if (contest.contestCount() >= MAX_CONTESTS) return;
        ContestParams memory p = someContest();
        p.challengeWindow = wait % 3 == 0 ? 0 : TERM;
        p.committeeSize = committeeSize % 2 == 0 ? 0 : 4;
        ContestId contestId = posted(p);
        paidIn += PAID_IN;
        longest[ContestId.unwrap(contestId)] =
            uint256(p.commitDeadline) + 3 * uint256(TERM) + p.challengeWindow + COURT_TERM;
    }

    function join(uint256 wait, uint256 which, uint256 who) external later(wait) {
        ContestId contestId = pick(which);
        bytes32 commitment = commitmentOf(contestId, who % 4);
        vm.prank(miner(who % 4));
        try contest.commit(contestId, commitment) {} catch {}
    }

    function releaseKey(uint256 wait, uint256 which, bool right) external later(wait) {
        try contest.release(pick(which), right ? KEY : bytes32(which)) {} catch {}
    }

    function revealOne(uint256 wait, uint256 which, uint256 who) external later(wait) {
        uint256 index = who % 4;
        vm.prank(miner(index));
        try contest.reveal(pick(which), modelOf(index), traceOf(index), saltOf(index)) {} catch {}
    }

    function drawPanel(uint256 wait, uint256 which, uint256 instance) external later(wait) {
        try panels.draw(pick(which), instance % 2) {} catch {}
    }

    /// @dev The panel that is due signs scores that can be, the test set's fault, or a fraud.
    function scoreIt(uint256 wait, uint256 which, uint32[4] memory raw, uint8 kind) external later(wait) {
        ContestId contestId = pick(which);
        Contest memory state = contest.contest(contestId);
        uint32[] memory scores = new uint32[](kind % 8 == 0 ? 0 : state.entries);
        for (uint256 i = 0; i < scores.length; ++i) {
            bool shown = (state.revealed >> i) & 1 == 1;
            scores[i] = shown && raw[i % 4] % 5 != 0 ? raw[i % 4] % (ANSWERS + 1) : NONE;
        }
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.badTestSet = kind % 8 == 0;
        if (scores.length != 0 && scores[0] == NONE) c.frauds = state.revealed & 1;
        uint256 instance = c.instance;
        try panels.members(contestId, instance) returns (address[] memory members) {
            uint64 signers = members.length == 4 ? THREE : 31;
            bytes memory signed = panelSignatures(members, contest.scoreDigest(c), signers);
            try contest.certify(c, scores, signers, signed) {
                if (instance == 1) bonds -= BOND;
            } catch {}
        } catch {}
    }

    function doubt(uint256 wait, uint256 which) external later(wait) {
        vm.prank(stranger);
        try contest.challenge(pick(which)) {
            bonds += BOND;
            paidIn += BOND;
        } catch {}
    }

    function appendOne(uint256 wait, uint256 which) external later(wait) {
        bool training = unfinished() != 0;
        try contest.appendPuzzle(_solved[which % SOLVED], "") {
            ++puzzles;
            intruded = intruded || training;
        } catch {}
    }

    function closeIt(uint256 wait, uint256 which) external later(wait) {
        tryClose(pick(which));
    }

    function payOut(uint256 wait, uint256 who) external later(wait) {
        address[3] memory some = [poster, miner(who % 4), validator(who % validatorKeys.length)];
        for (uint256 i = 0; i < some.length; ++i) {
            try contest.collect(some[i]) returns (uint256 amount) {
                paidOut += amount;
            } catch {}
        }
    }

    /// @dev Whatever the state, once the longest way is over one call of anybody ends a contest.
    function endEverything() external {
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            if (vm.getBlockTimestamp() <= longest[i]) vm.warp(longest[i] + 1);
            tryClose(ContestId.wrap(i));
        }
    }

    function held() external view returns (uint256 sum) {
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            sum += contest.held(ContestId.wrap(i));
        }
    }

    function unfinished() public view returns (uint256 count) {
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            if (contest.contest(ContestId.wrap(i)).status != ContestStatus.Closed) ++count;
        }
    }

    function allDebts() external view returns (uint256) {
        return debts();
    }

    function balance() external view returns (uint256) {
        return token.balanceOf(address(contest));
    }

    function contracts() external view returns (ILearningContest) {
        return contest;
    }

    function tryClose(ContestId contestId) private {
        bool challenged_ = contest.contest(contestId).status == ContestStatus.Challenged;
        (bytes32 head, uint64 height, uint64 time) = (contest.head(), contest.height(), contest.headTime());
        try contest.close(contestId) returns (Outcome outcome) {
            if (challenged_) bonds -= BOND;
            if (outcome != Outcome.Won) {
                if (contest.head() != head || contest.height() != height) chainBroken = true;
                return;
            }
            ++prizes[ContestId.unwrap(contestId)];
            bool grown = contest.head() != head && contest.height() == height + 1;
            if (!grown || contest.headTime() <= time) chainBroken = true;
        } catch {}
    }

    function pick(uint256 which) private view returns (ContestId) {
        uint256 count = contest.contestCount();
        return ContestId.wrap(count == 0 ? 1 : 1 + which % count);
    }
}

/// @notice Contests owe what they hold, name at most one winner, and let everybody out.
/// forge-config: default.invariant.runs = 32
/// forge-config: default.invariant.depth = 64
/// forge-config: ci.invariant.runs = 64
/// forge-config: ci.invariant.depth = 64
contract ContestInvariants is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    ContestHandler private handler;

    function setUp() public {
        handler = new ContestHandler();
        handler.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[10] memory all = [
            ContestHandler.openContest.selector,
            ContestHandler.join.selector,
            ContestHandler.releaseKey.selector,
            ContestHandler.revealOne.selector,
            ContestHandler.drawPanel.selector,
            ContestHandler.scoreIt.selector,
            ContestHandler.doubt.selector,
            ContestHandler.closeIt.selector,
            ContestHandler.payOut.selector,
            ContestHandler.appendOne.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), new bytes4[](all.length));
        for (uint256 i = 0; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
    }

    function invariant_money__everyTokenIsHeldOrOwed() public view {
        uint256 accounted = handler.held() + handler.allDebts() + handler.bonds();
        assertEq(handler.balance(), accounted, "balance");
    }

    /// @dev Whatever was paid in was collected, or is still there.
    function invariant_money__inIsCollectedPlusThere() public view {
        assertEq(handler.paidIn(), handler.paidOut() + handler.balance(), "in");
    }

    /// @dev No phase ends later than the terms allow, a court included.
    function invariant_phase__neverOutlastsTheTerms() public view {
        ILearningContest contest = handler.contracts();
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            assertAtMost(contest.contest(ContestId.wrap(i)).endsAt, handler.longest(i), "end");
        }
    }

    /// @dev A contest that is won appends one block with a later time; any other leaves the chain alone.
    function invariant_chain__growsByOneBlockForEachContestThatIsWon() public view {
        assertTrue(!handler.chainBroken(), "chain");
    }

    function invariant_winner__isPaidAtMostOnce() public view {
        ILearningContest contest = handler.contracts();
        uint256 won = 0;
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            assertAtMost(handler.prizes(i), 1, "prizes");
            won += handler.prizes(i);
        }
        assertEq(contest.height(), won + handler.puzzles(), "one block for each contest won and each puzzle");
    }

    function invariant_puzzles__wait_whileSomebodyIsToTrain() public view {
        assertEq(handler.contracts().openContests(), handler.unfinished(), "open contests");
        assertTrue(!handler.intruded(), "a puzzle beside a contest");
    }

    /// @dev After the longest way one call ends each contest, and then all money is owed to somebody.
    function afterInvariant() public {
        handler.endEverything();
        ILearningContest contest = handler.contracts();
        for (uint256 i = 1; i <= contest.contestCount(); ++i) {
            ContestStatus status = contest.contest(ContestId.wrap(i)).status;
            assertTrue(status == ContestStatus.Closed, "a contest that does not end");
        }
        assertEq(handler.balance(), handler.allDebts(), "money that is owed to nobody");
    }
}

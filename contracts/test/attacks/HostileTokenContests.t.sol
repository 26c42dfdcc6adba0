// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {TokenLib} from "../../src/libraries/TokenLib.sol";
import {ContestId, ScoreCertificate} from "../../src/types/Contest.sol";
import {Permit} from "../../src/types/Permit.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";
import {HostileToken} from "../utils/HostileToken.sol";

/// @notice The token re-enters a contest whenever a prize, a bond or a stake moves, or delivers less than it took.
contract HostileTokenContestsAttack is ContestFixture {
    HostileToken private hostile;

    function newToken() internal override returns (IERC20) {
        hostile = new HostileToken();
        return hostile;
    }

    function test_reenter__everyFunctionOfContests__isRefused() public {
        ContestId one = ContestId.wrap(1);
        ScoreCertificate memory c;
        Permit memory permit;
        bytes[10] memory calls = [
            abi.encodeCall(contest.post, (someContest())),
            abi.encodeCall(contest.postWithPermit, (someContest(), permit)),
            abi.encodeCall(contest.cancel, (one)),
            abi.encodeCall(contest.commit, (one, KEY)),
            abi.encodeCall(contest.release, (one, KEY)),
            abi.encodeCall(contest.reveal, (one, KEY, KEY, KEY)),
            abi.encodeCall(contest.certify, (c, new uint32[](0), 0, "")),
            abi.encodeCall(contest.challenge, (one)),
            abi.encodeCall(contest.close, (one)),
            abi.encodeCall(contest.collect, (poster))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            hostile.arm(address(contest), calls[i]);
            posted();
            assertRefused();
        }
    }

    function test_reenter__collect__paysOnce() public {
        ContestId contestId = posted();
        vm.prank(poster);
        contest.cancel(contestId);
        arm();
        contest.collect(poster);
        assertRefused();
        assertEq(token.balanceOf(address(contest)), 0, "nothing was there twice");
    }

    function test_reenter__challenge__isRefused() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(150, 200, 250));
        arm();
        challengeAs(stranger, contestId);
        assertRefused();
    }

    /// @dev The vault pays out what a false trace costs while the contest is being closed.
    function test_reenter__closeThatSlashes__isRefused() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(150, NONE, 120);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 2;
        score(c, scores, THREE);
        arm();
        closeLate(contestId);
        assertRefused();
        assertEq(debts(), PAID_IN, "booked once");
    }

    function test_reenter__verdictThatSlashes__isRefused() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        arm();
        score(contestId, scoresOf(150, 200, 250));
        assertRefused();
        assertEq(contest.owed(stranger), BOND, "booked once");
    }

    function test_feeOnTransfer__post__reverts() public {
        hostile.setFee(1);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, PAID_IN, PAID_IN - 1));
        posted();
    }

    function test_feeOnTransfer__challenge__reverts() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(150, 200, 250));
        hostile.setFee(1);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, BOND, BOND - 1));
        challengeAs(stranger, contestId);
    }

    function arm() private {
        hostile.arm(address(contest), abi.encodeCall(contest.collect, (poster)));
    }

    function assertRefused() private view {
        assertTrue(hostile.called(), "the token called back");
        assertTrue(!hostile.succeeded(), "and was refused");
        bytes4 wanted = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertTrue(hostile.reason() == wanted, "by the guard");
    }
}

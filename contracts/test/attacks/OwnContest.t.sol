// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ContestId} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice A poster enters its own contest with accounts of its own and withholds the key, to be paid the compensation that is
/// meant for others.
contract OwnContestAttack is ContestFixture {
    function testFuzz_run__posterEntersItself__honestMinersGetAllThatIsTheirs(uint256 sybils) public {
        sybils = bound(sybils, 0, ENTRIES - 1);
        ContestId contestId = posted();
        enter(contestId, 0);
        for (uint256 i = 0; i < sybils; ++i) {
            address sybil = address(uint160(0x51B11 + i));
            stakeAs(sybil, MINER_STAKE);
            vm.prank(sybil);
            contest.commit(contestId, keccak256(abi.encode(i)));
        }
        vm.warp(uint256(contest.paramsOf(contestId).commitDeadline) + TERM + 1);
        contest.close(contestId);
        assertEq(contest.owed(miner(0)), COMPENSATION, "made whole");
        uint256 back = contest.owed(poster) + sybils * COMPENSATION;
        assertTrue(back + COMPENSATION <= PAID_IN, "the poster gains nothing");
    }
}

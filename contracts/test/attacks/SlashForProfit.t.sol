// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Slashing must not pay: not for an accuser, not for a culprit that accuses itself through another account.
contract SlashForProfitAttack is MarketFixture {
    function test_profit__accuserIsThePoster__treasuryStillGetsItsPart() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        uint256 before = token.balanceOf(poster);
        vm.prank(poster);
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        assertEq(token.balanceOf(poster) - before, 24 ether, "half and a tenth");
        assertEq(token.balanceOf(treasury), 16 ether, "never all of it");
    }

    function test_profit__culpritThroughAnotherAccount__losesNineTenths() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        vm.prank(stranger);
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        assertEq(token.balanceOf(stranger), SLASH / 10, "a tenth comes back");
        assertEq(vault.slashableOf(miner(0)), MINER_STAKE - SLASH, "all of it is gone");
    }
}

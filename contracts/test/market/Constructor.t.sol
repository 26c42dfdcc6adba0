// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract MarketConstructorTest is MarketFixture {
    function test_constructor_revertsIfTokensDiffer() public {
        token = newToken();
        expectMiswired("vault.TOKEN");
        newMarket(vault, committee, appeals);
    }

    function test_constructor_revertsIfMarketIsNoSlasher() public {
        expectMiswired("vault.isSlasher(market)");
        newMarket(vault, committee, appeals);
    }

    function test_constructor_revertsIfCommitteeIsNoSlasher() public {
        address at = nextAddress(1);
        IStakeVault other = newVault(at, at, at, UNBONDING_DELAY);
        expectMiswired("vault.isSlasher(committee)");
        newMarket(other, committee, appeals);
    }

    function test_constructor_revertsIfCommitteeHasAnotherVault() public {
        address at = nextAddress(1);
        IStakeVault other = newVault(at, at, address(committee), UNBONDING_DELAY);
        expectMiswired("committee.VAULT");
        newMarket(other, committee, appeals);
    }

    function test_constructor_revertsIfCommitteeHasAnotherMarket() public {
        address at = nextAddress(2);
        IStakeVault other = newVault(at, at, nextAddress(1), UNBONDING_DELAY);
        ICommittee stray = newCommittee(other, address(market));
        expectMiswired("committee.MARKET");
        newMarket(other, stray, appeals);
    }

    function test_constructor_revertsIfAppealsIsNoSlasher() public {
        address at = nextAddress(2);
        IStakeVault other = newVault(at, at, nextAddress(1), UNBONDING_DELAY);
        ICommittee wired = newCommittee(other, at);
        expectMiswired("vault.isSlasher(appeals)");
        newMarket(other, wired, appeals);
    }

    function test_constructor_revertsIfAppealsHasAnotherMarket() public {
        address at = nextAddress(2);
        IStakeVault other = newVault(at, address(appeals), nextAddress(1), UNBONDING_DELAY);
        ICommittee wired = newCommittee(other, at);
        expectMiswired("appeals.MARKET");
        newMarket(other, wired, appeals);
    }

    function test_constructor_revertsIfStakeCouldLeaveTooEarly() public {
        uint256 needed = market.MAX_EPOCH_AGE() + market.MAX_TASK_LIFE() + market.SETTLEMENT_MARGIN();
        address at = nextAddress(3);
        IStakeVault other = newVault(at, nextAddress(1), nextAddress(2), needed - 1);
        ICommittee wired = newCommittee(other, at);
        IAppeals appealsWired = newAppeals(other, at);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.UnbondingTooShort.selector, needed - 1, needed)
        );
        newMarket(other, wired, appealsWired);
    }

    function test_constructor__shortestDelay__isAllowed() public {
        uint256 needed = market.MAX_EPOCH_AGE() + market.MAX_TASK_LIFE() + market.SETTLEMENT_MARGIN();
        address at = nextAddress(3);
        IStakeVault other = newVault(at, nextAddress(1), nextAddress(2), needed);
        ICommittee wired = newCommittee(other, at);
        IAppeals appealsWired = newAppeals(other, at);
        ITrainingMarket built = newMarket(other, wired, appealsWired);
        assertEq(built.VAULT().UNBONDING_DELAY(), needed, "delay");
    }

    function expectMiswired(string memory what) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, what));
    }

    function nextAddress(uint256 ahead) private view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + ahead);
    }
}

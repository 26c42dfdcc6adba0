// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract MarketConstructorTest is MarketFixture {
    function test_constructor_revertsIfTokensDiffer() public {
        token = newToken();
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, "vault.TOKEN"));
        newMarket(vault, committee);
    }

    function test_constructor_revertsIfMarketIsNoSlasher() public {
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, "vault.isSlasher(market)")
        );
        newMarket(vault, committee);
    }

    function test_constructor_revertsIfCommitteeIsNoSlasher() public {
        address at = nextAddress(1);
        IStakeVault other = newVault(at, at, UNBONDING_DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, "vault.isSlasher(committee)")
        );
        newMarket(other, committee);
    }

    function test_constructor_revertsIfCommitteeHasAnotherVault() public {
        IStakeVault other = newVault(nextAddress(1), address(committee), UNBONDING_DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, "committee.VAULT")
        );
        newMarket(other, committee);
    }

    function test_constructor_revertsIfCommitteeHasAnotherMarket() public {
        IStakeVault other = newVault(nextAddress(2), nextAddress(1), UNBONDING_DELAY);
        ICommittee stray = newCommittee(other, address(market));
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.MiswiredDeployment.selector, "committee.MARKET")
        );
        newMarket(other, stray);
    }

    function test_constructor_revertsIfStakeCouldLeaveTooEarly() public {
        uint256 needed = market.MAX_EPOCH_AGE() + market.MAX_TASK_LIFE() + market.SETTLEMENT_MARGIN();
        address at = nextAddress(2);
        IStakeVault other = newVault(at, nextAddress(1), needed - 1);
        ICommittee wired = newCommittee(other, at);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.UnbondingTooShort.selector, needed - 1, needed)
        );
        newMarket(other, wired);
    }

    function nextAddress(uint256 ahead) private view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + ahead);
    }
}

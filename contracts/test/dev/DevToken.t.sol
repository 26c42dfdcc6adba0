// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IFaucet} from "../utils/IFaucet.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract DevTokenTest is MarketFixture {
    error RealChain(uint256 chainId);

    function test_constructor_revertsIfChainIsReal() public {
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(RealChain.selector, 1));
        newToken();
    }

    function test_faucet__anyone__mintsTheFixedAmount() public {
        IFaucet(address(token)).faucet(stranger);
        assertEq(token.balanceOf(stranger), IFaucet(address(token)).FAUCET_AMOUNT(), "minted");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CommitteeConstructorTest is MarketFixture {
    function test_constructor_revertsIfValidatorStakeIsOutOfBounds() public {
        constructExpecting("validatorStake", 0, type(uint128).max, 0, 1);
        constructExpecting("validatorStake", uint256(type(uint128).max) + 1, type(uint128).max, 2 ** 128, 1);
    }

    function test_constructor_revertsIfEpochLengthIsOutOfBounds() public {
        constructExpecting("epochLength", 0, 1_000_000, 1, 0);
        constructExpecting("epochLength", 1_000_001, 1_000_000, 1, 1_000_001);
    }

    function test_constructor__eachBound__isAllowed() public {
        assertEq(construct(type(uint128).max, 1).VALIDATOR_STAKE(), type(uint128).max, "largest stake");
        assertEq(construct(1, 1_000_000).EPOCH_LENGTH(), 1_000_000, "longest epoch");
    }

    function construct(uint256 stake, uint256 length) private returns (ICommittee) {
        return ICommittee(create("Committee.sol:Committee", abi.encode(vault, market, stake, length)));
    }

    function constructExpecting(
        string memory field,
        uint256 value,
        uint256 max,
        uint256 stake,
        uint256 length
    ) private {
        vm.expectRevert(abi.encodeWithSelector(ICommittee.OutOfBounds.selector, field, value, 1, max));
        create("Committee.sol:Committee", abi.encode(vault, market, stake, length));
    }
}

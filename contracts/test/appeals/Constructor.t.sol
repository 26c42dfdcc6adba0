// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice The constructor, and the market's functions that are for the appeals contract alone.
contract AppealsConstructorTest is MarketFixture {
    function test_constructor_revertsIfBondIsOutOfBounds() public {
        uint256 max = type(uint96).max;
        constructExpecting("bond", 1, 2, max, 1, COURT_TERM);
        constructExpecting("bond", max + 1, 2, max, max + 1, COURT_TERM);
    }

    function test_constructor_revertsIfCourtTermIsOutOfBounds() public {
        constructExpecting("courtTerm", 59, 1 minutes, 7 days, BOND, 59);
        constructExpecting("courtTerm", 7 days + 1, 1 minutes, 7 days, BOND, 7 days + 1);
    }

    function test_constructor__eachBound__isAllowed() public {
        assertEq(construct(2, 1 minutes).BOND(), 2, "least bond, shortest term");
        assertEq(construct(type(uint96).max, 7 days).COURT_TERM(), 7 days, "largest bond, longest term");
    }

    function test_appealsOnly_revertsIfCallerIsAnother() public {
        TaskId taskId = createTask();
        CertificateRecord memory r;
        bytes memory data = abi.encodeWithSelector(ITrainingMarket.NotAppeals.selector, address(this));
        vm.expectRevert(data);
        market.dispute(taskId, r);
        vm.expectRevert(data);
        market.endDispute(taskId);
        vm.expectRevert(data);
        market.overturn(taskId, 0, r);
        vm.expectRevert(data);
        market.voidFault(taskId, 0);
    }

    function test_appealsOnly_revertsIfNoDisputeRuns() public {
        TaskId taskId = createTask();
        CertificateRecord memory r;
        vm.startPrank(address(appeals));
        bytes memory data =
            abi.encodeWithSelector(ITrainingMarket.TaskNotDisputed.selector, taskId, TaskStatus.Open);
        vm.expectRevert(data);
        market.endDispute(taskId);
        vm.expectRevert(data);
        market.overturn(taskId, 0, r);
        vm.stopPrank();
    }

    function construct(uint256 bond, uint256 term) private returns (IAppeals) {
        return IAppeals(create("Appeals.sol:Appeals", abi.encode(token, vault, market, bond, term)));
    }

    function constructExpecting(
        string memory field,
        uint256 value,
        uint256 min,
        uint256 max,
        uint256 bond,
        uint256 term
    ) private {
        vm.expectRevert(abi.encodeWithSelector(IAppeals.OutOfBounds.selector, field, value, min, max));
        create("Appeals.sol:Appeals", abi.encode(token, vault, market, bond, term));
    }
}

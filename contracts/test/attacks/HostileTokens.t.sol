// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {TokenLib} from "../../src/libraries/TokenLib.sol";
import {CertificateRecord, FaultLeaf} from "../../src/types/Certificate.sol";
import {PayoutClaim} from "../../src/types/Claim.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {HostileToken} from "../utils/HostileToken.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice The token re-enters during each kind of transfer, or delivers less than it took.
contract HostileTokensAttack is MarketFixture {
    HostileToken private hostile;

    function newToken() internal override returns (IERC20) {
        hostile = new HostileToken();
        return hostile;
    }

    function test_reenter__createTask__isRefused() public {
        hostile.arm(address(market), abi.encodeCall(market.close, (TaskId.wrap(1))));
        createTask();
        assertRefused();
    }

    function test_reenter__cancel__isRefused() public {
        TaskId taskId = createTask();
        hostile.arm(address(market), abi.encodeCall(market.cancel, (taskId)));
        vm.prank(poster);
        market.cancel(taskId);
        assertRefused();
        assertEq(token.balanceOf(address(market)), 0, "refunded once");
    }

    function test_reenter__close__isRefused() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        hostile.arm(address(market), abi.encodeCall(market.close, (taskId)));
        market.close(taskId);
        assertRefused();
    }

    function test_reenter__claim__isRefused() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        bytes32[] memory proof = minerProof(taskId, 0);
        uint256 due = minerDue(taskId);
        hostile.arm(
            address(market), abi.encodeCall(market.claim, (taskId, lastPayouts(taskId), miner(0), due, proof))
        );
        market.claim(taskId, lastPayouts(taskId), miner(0), due, proof);
        assertRefused();
    }

    function test_reenter__claimSigningFee__isRefused() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        market.close(taskId);
        hostile.arm(
            address(market),
            abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), validator(0)))
        );
        market.claimSigningFee(taskId, lastRecord(taskId), validator(0));
        assertRefused();
    }

    function test_reenter__slash__isRefused() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        hostile.arm(
            address(market),
            abi.encodeCall(
                market.slash,
                (taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof())
            )
        );
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        assertRefused();
        assertEq(vault.slashableOf(miner(0)), MINER_STAKE - SLASH, "slashed once");
    }

    function test_reenter__deposit__isRefused() public {
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        stakeAs(stranger, 1 ether);
        assertRefused();
    }

    function test_reenter__withdraw__isRefused() public {
        vm.startPrank(miner(0));
        vault.unbond(MINER_STAKE);
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        vault.withdraw();
        vm.stopPrank();
        assertRefused();
    }

    function test_reenter__everyFunctionOfTheVault__isRefused() public {
        Permit memory permit;
        bytes[5] memory calls = [
            abi.encodeCall(vault.deposit, (1)),
            abi.encodeCall(vault.depositWithPermit, (1, permit)),
            abi.encodeCall(vault.unbond, (1)),
            abi.encodeCall(vault.withdraw, ()),
            abi.encodeCall(vault.slash, (stranger, 1, 0, stranger, stranger))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            hostile.arm(address(vault), calls[i]);
            stakeAs(stranger, 1 ether);
            assertRefused();
        }
    }

    function test_reenter__depositWithPermit__isRefused() public {
        fund(stranger, 1 ether);
        vm.startPrank(stranger);
        token.approve(address(vault), 1 ether);
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        Permit memory permit;
        vault.depositWithPermit(1 ether, permit);
        vm.stopPrank();
        assertRefused();
    }

    function test_reenter__slashOfTheVault__isRefused() public {
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        address account = miner(0);
        vm.prank(address(market));
        vault.slash(account, 1 ether, vm.getBlockTimestamp(), stranger, stranger);
        assertRefused();
    }

    function test_reenter__everyFunctionOfTheMarket__isRefused() public {
        TaskId one = TaskId.wrap(1);
        CertificateRecord memory r;
        Permit memory permit;
        bytes[8] memory calls = [
            abi.encodeCall(market.createTask, (someParams())),
            abi.encodeCall(market.createTaskWithPermit, (someParams(), permit)),
            abi.encodeCall(market.claim, (one, payoutRecord(r), stranger, 1, noProof())),
            abi.encodeCall(market.claimMany, (new PayoutClaim[](0))),
            abi.encodeCall(market.claimSigningFee, (one, r, stranger)),
            abi.encodeCall(market.slash, (one, r, claimOf(one, someFault(0)), "", noProof())),
            abi.encodeCall(market.cancel, (one)),
            abi.encodeCall(market.close, (one))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            hostile.arm(address(market), calls[i]);
            createTask();
            assertRefused();
        }
    }

    function test_reenter__createTaskWithPermit__isRefused() public {
        hostile.arm(address(market), abi.encodeCall(market.close, (TaskId.wrap(1))));
        Permit memory permit;
        vm.prank(poster);
        market.createTaskWithPermit(someParams(), permit);
        assertRefused();
    }

    function test_reenter__claimMany__isRefused() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        PayoutClaim[] memory batch = new PayoutClaim[](1);
        batch[0] = PayoutClaim(taskId, lastPayouts(taskId), miner(0), minerDue(taskId), minerProof(taskId, 0));
        hostile.arm(address(market), abi.encodeCall(market.claimMany, (batch)));
        market.claimMany(batch);
        assertRefused();
    }

    function test_feeOnTransfer__moreThanTheAmount__countsAsNothing() public {
        stakeAs(stranger, 5 ether);
        fund(stranger, 1 ether);
        hostile.setFee(2 ether);
        vm.startPrank(stranger);
        token.approve(address(vault), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, 1 ether, 0));
        vault.deposit(1 ether);
        vm.stopPrank();
    }

    function test_feeOnTransfer__createTask__reverts() public {
        hostile.setFee(1);
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, ESCROW, ESCROW - 1));
        market.createTask(someParams());
    }

    function test_feeOnTransfer__deposit__reverts() public {
        fund(stranger, 2 ether);
        hostile.setFee(1);
        vm.startPrank(stranger);
        token.approve(address(vault), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, 1 ether, 1 ether - 1));
        vault.deposit(1 ether);
        vm.stopPrank();
    }

    function assertRefused() private view {
        assertTrue(hostile.called(), "the token called back");
        assertTrue(!hostile.succeeded(), "and was refused");
        bytes4 wanted = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertTrue(hostile.reason() == wanted, "by the guard");
    }
}

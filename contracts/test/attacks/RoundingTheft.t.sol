// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Nobody gains a unit from a division, and a committee that lies about one task cannot touch another.
contract RoundingTheftAttack is MarketFixture {
    function testFuzz_rounding__anyFee__dustGoesToThePoster(uint128 fee, uint32 rounds, uint64 pick) public {
        TaskParams memory p = someParams();
        p.startsAt = 0;
        p.feePerRound = uint128(bound(fee, 0, 1e20));
        p.rounds = uint32(bound(rounds, 1, 1_000));
        uint64 signers = [uint64(7), 11, 13, 14, 15][pick % 5];
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        RoundCertificate memory c = nextCertificate(taskId, p.rounds);
        certify(c, signers);
        uint256 parts = signers == 15 ? 4 : 3;
        uint256 share = uint256(p.feePerRound) * p.rounds / parts;
        uint256 refund = market.close(taskId);
        assertAtMost(refund, parts - 1, "less than one unit for each signer");
        if (share != 0) {
            for (uint256 i = 0; i < 4; ++i) {
                if ((signers >> i) & 1 == 1) {
                    market.claimSigningFee(taskId, lastRecord(taskId), validator(i));
                }
            }
        }
        assertEq(token.balanceOf(address(market)), c.paidTotal, "what is left is exactly the payouts");
    }

    /// @dev The quorum of a task colludes: leaves far above paidTotal. Other tasks' escrow is in the same balance.
    function test_rounding__inflatedLeaves__cannotReachAnotherTask() public {
        TaskId honest = createTask();
        TaskId rigged = startedTask();
        RoundCertificate memory c = nextCertificate(rigged);
        c.payoutsRoot = payoutLeaf(stranger, 2 * ESCROW);
        certify(c);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.ClaimsExceedPaidTotal.selector, rigged, 2 * ESCROW, c.paidTotal
            )
        );
        market.claim(rigged, lastPayouts(rigged), stranger, 2 * ESCROW, noProof());
        assertEq(market.held(honest), ESCROW, "untouched");
    }

    /// @dev The quorum rewrites the payouts again and again so that each miner's earlier claim stays counted.
    function test_rounding__rewrittenPayouts__stayInsidePaidTotal() public {
        TaskId taskId = startedTask();
        uint256 out = 0;
        for (uint256 i = 0; i < ROUNDS; ++i) {
            RoundCertificate memory c = nextCertificate(taskId);
            address account = address(uint160(0xD00D + i));
            c.payoutsRoot = payoutLeaf(account, c.paidTotal);
            certify(c);
            uint256 room = c.paidTotal - out;
            if (i == 0) {
                out += market.claim(taskId, lastPayouts(taskId), account, c.paidTotal, noProof());
            } else {
                vm.expectRevert(
                    abi.encodeWithSelector(
                        ITrainingMarket.ClaimsExceedPaidTotal.selector, taskId, out + c.paidTotal, c.paidTotal
                    )
                );
                market.claim(taskId, lastPayouts(taskId), account, c.paidTotal, noProof());
                assertTrue(room < c.paidTotal, "the room is what was not claimed");
            }
        }
    }
}

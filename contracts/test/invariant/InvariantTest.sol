// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task} from "../../src/types/Task.sol";
import {Test} from "../utils/Test.sol";
import {AttemptSteps} from "./AttemptSteps.sol";
import {DisputeSteps} from "./DisputeSteps.sol";
import {Handler} from "./Handler.sol";
import {MarketSteps} from "./MarketSteps.sol";
import {SentenceSteps} from "./SentenceSteps.sol";
import {StakeSteps} from "./StakeSteps.sol";

/// @notice What every set of invariants starts from: one world, whose handler alone is called.
abstract contract InvariantTest is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler internal handler;
    ITrainingMarket internal market;
    IStakeVault internal vault;
    ICommittee internal committee;
    IERC20 internal token;
    IAppeals internal appeals;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
        (market, vault, committee, token, appeals) = handler.contracts();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[30] memory all = [
            MarketSteps.openTask.selector,
            MarketSteps.certifyNext.selector,
            MarketSteps.claim.selector,
            MarketSteps.claimSigningFee.selector,
            MarketSteps.cancel.selector,
            MarketSteps.close.selector,
            MarketSteps.slash.selector,
            StakeSteps.deposit.selector,
            StakeSteps.unbond.selector,
            StakeSteps.withdraw.selector,
            StakeSteps.join.selector,
            StakeSteps.leave.selector,
            StakeSteps.advanceEpoch.selector,
            StakeSteps.proveEquivocation.selector,
            AttemptSteps.attemptCertificate.selector,
            AttemptSteps.attemptMoney.selector,
            AttemptSteps.attemptFees.selector,
            AttemptSteps.attemptSlash.selector,
            AttemptSteps.attemptStake.selector,
            AttemptSteps.attemptAccusation.selector,
            AttemptSteps.attemptOverdue.selector,
            DisputeSteps.drawCommittee.selector,
            DisputeSteps.challenge.selector,
            DisputeSteps.decide.selector,
            DisputeSteps.lapse.selector,
            SentenceSteps.settleCase.selector,
            SentenceSteps.convict.selector,
            SentenceSteps.punishSigner.selector,
            SentenceSteps.attemptDispute.selector,
            Handler.tryExits.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), new bytes4[](all.length));
        for (uint256 i = 0; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
    }

    function never(bytes32 what) internal view {
        assertTrue(!handler.broken(what), string(abi.encodePacked(what)));
    }

    function taskAt(uint256 i) internal view returns (Task memory) {
        return market.task(TaskId.wrap(i));
    }

    function bits(uint64 bitmap) internal pure returns (uint256 count) {
        for (uint256 i = 0; i < 64; ++i) {
            count += (bitmap >> i) & 1;
        }
    }
}

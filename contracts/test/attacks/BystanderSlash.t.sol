// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {Contribution, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A whole committee is bought, and its task, of one unit of money and without a window, names as culprits
/// whoever has stake: miners that never worked for it, and validators. All stakes lie in one vault.
contract BystanderSlashAttack is MarketFixture {
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        TaskParams memory p = someParams();
        (p.rounds, p.shards, p.rewardPerShard, p.feePerRound, p.startsAt) = (1, 1, 1, 0, 0);
        (p.minerStake, p.slashPerFault) = (type(uint96).max, type(uint96).max);
        taskId = createTask(p);
    }

    function test_slash__nobodySigned__isRefused() public {
        FaultLeaf memory leaf = declared(FaultLeaf(1, 0, miner(2), keccak256("never sent")));
        Contribution memory c = claimOf(taskId, leaf);
        bytes[3] memory forged = [bytes(""), new bytes(64), compact(validatorKeys[0], contributionDigest(c))];
        for (uint256 i = 0; i < forged.length; ++i) {
            vm.expectPartialRevert(ITrainingMarket.NotSignedByMiner.selector);
            market.slash(taskId, lastRecord(taskId), c, forged[i], noProof());
        }
        assertEq(vault.slashableOf(miner(2)), MINER_STAKE, "untouched");
    }

    function test_slash__validatorAsMiner__isRefused() public {
        FaultLeaf memory leaf = declared(FaultLeaf(1, 0, validator(3), keccak256("never sent")));
        Contribution memory c = claimOf(taskId, leaf);
        bytes memory foreign = compact(posterKey, contributionDigest(c));
        vm.expectPartialRevert(ITrainingMarket.NotSignedByMiner.selector);
        market.slash(taskId, lastRecord(taskId), c, foreign, noProof());
        assertEq(vault.slashableOf(validator(3)), VALIDATOR_STAKE, "untouched");
    }

    /// @dev The miner did sign this work, for another task.
    function test_slash__signedForAnotherTask__isRefused() public {
        FaultLeaf memory leaf = FaultLeaf(1, 0, miner(1), keccak256("good work"));
        Contribution memory elsewhere = claimOf(TaskId.wrap(id(taskId) + 1), leaf);
        bytes memory signature = signedBy(elsewhere);
        declared(leaf);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongTask.selector, elsewhere.taskId, taskId));
        market.slash(taskId, lastRecord(taskId), elsewhere, signature, noProof());
        Contribution memory here = claimOf(taskId, leaf);
        vm.expectPartialRevert(ITrainingMarket.NotSignedByMiner.selector);
        market.slash(taskId, lastRecord(taskId), here, signature, noProof());
    }

    /// @dev One field of what was signed is changed; nothing but the signed text itself passes.
    function testFuzz_slash__anySignedFieldChanged__isRefused(uint8 field, uint256 value) public {
        FaultLeaf memory leaf = declared(FaultLeaf(1, 0, miner(1), keccak256("bad work")));
        Contribution memory c = claimOf(taskId, leaf);
        bytes memory signature = signedBy(c);
        field %= 5;
        if (field == 0) c.specHash = bytes32(value);
        if (field == 1) c.parentModel = bytes32(value);
        if (field == 2) c.samples = uint32(bound(value, 33, type(uint32).max));
        if (field == 3) c.lossMicros = uint64(bound(value, 1_000_001, type(uint64).max));
        if (field == 4) c.batches = bytes32(value);
        vm.expectPartialRevert(ITrainingMarket.NotSignedByMiner.selector);
        market.slash(taskId, lastRecord(taskId), c, signature, noProof());
    }

    function declared(FaultLeaf memory leaf) private returns (FaultLeaf memory) {
        RoundCertificate memory c = nextCertificate(taskId);
        (c.faultsRoot, c.paidTotal, c.payoutsRoot) = (faultLeaf(leaf), 1, payoutLeaf(poster, 1));
        certify(c);
        return leaf;
    }
}

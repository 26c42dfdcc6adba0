// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract MarketViewsTest is MarketFixture {
    function test_domainSeparator__isEip712OfTheMarket() public view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("ProofOfTraining"),
                keccak256("1"),
                block.chainid,
                address(market)
            )
        );
        assertEq(market.domainSeparator(), expected, "domain");
    }

    function testFuzz_certificateDigest__isEip712OfTheStruct(RoundCertificate calldata c) public view {
        bytes32 typehash = keccak256(
            "RoundCertificate(uint256 taskId,uint32 firstRound,uint32 lastRound,uint32 epoch,bytes32 specHash,bytes32 parentModel,bytes32 model,bytes32 contributionsRoot,bytes32 faultsRoot,bytes32 payoutsRoot,uint128 paidTotal,bytes32 segment)"
        );
        bytes32 structHash = keccak256(abi.encode(typehash, c));
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", market.domainSeparator(), structHash));
        assertEq(market.certificateDigest(c), expected, "digest");
    }

    function test_held__wholeLife__isWhatTheMarketOwes() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        claimOne(taskId);
        assertEq(market.held(taskId), ESCROW - REWARD, "the escrow, but for what was claimed");
        certifyAll(taskId);
        uint256 refund = market.close(taskId);
        assertEq(market.held(taskId), ESCROW - REWARD - refund, "payouts and fees");
        uint256 fee = market.claimSigningFee(taskId, lastRecord(taskId), validator(1));
        assertEq(market.held(taskId), ESCROW - REWARD - refund - fee, "two of three fees");
        claimOne(taskId);
        assertEq(market.held(taskId), token.balanceOf(address(market)), "what is there, to the last unit");
    }

    function claimOne(TaskId taskId) private {
        uint256 due = minerDue(taskId);
        market.claim(taskId, lastPayouts(taskId), miner(0), due, minerProof(taskId, 0));
    }

    function test_refundable__wholeLife__followsTheCertificates() public {
        TaskId taskId = startedTask();
        assertEq(market.refundable(taskId), ESCROW, "nothing earned");
        certify(nextCertificate(taskId));
        uint256 share = uint256(FEE) / 3;
        assertEq(market.refundable(taskId), ESCROW - uint256(SHARDS) * REWARD - 3 * share, "one round");
        certifyAll(taskId);
        market.close(taskId);
        assertEq(market.refundable(taskId), 0, "ended");
        assertEq(market.refundable(TaskId.wrap(99)), 0, "unknown");
        assertEq(market.held(TaskId.wrap(99)), 0, "unknown");
    }
}

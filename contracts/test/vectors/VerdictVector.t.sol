// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `tests/vectors/verdict.json`: what a court signs in Python is what the contract asks for.
contract VerdictVectorTest is MarketFixture {
    function test_verdict__sharedVector__hasTheSameDigest() public {
        string memory json = vm.readFile("../tests/vectors/verdict.json");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        address at = vm.parseJsonAddress(json, ".verifying_contract");
        vm.etch(at, address(market).code);
        bytes memory arguments = abi.encode(token, vault, at, 2, 1 days);
        IAppeals there = IAppeals(create("Appeals.sol:Appeals", arguments));
        TaskId taskId = TaskId.wrap(vm.parseJsonUint(json, ".task_id"));
        uint64 upheld = uint64(vm.parseJsonUint(json, ".upheld"));
        bytes32 digest = there.verdictDigest(taskId, vm.parseJsonUint(json, ".dispute"), upheld);
        assertEq(digest, vm.parseJsonBytes32(json, ".digest"), "digest");
    }
}

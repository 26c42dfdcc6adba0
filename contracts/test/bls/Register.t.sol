// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {BlsFixture} from "./BlsFixture.sol";
import {BlsSigner} from "./BlsSigner.sol";

contract RegisterTest is BlsFixture {
    uint256 private constant SECRET = 77;

    function test_register_revertsIfAccountHasAKey() public {
        expect(
            abi.encodeWithSelector(IBlsKeys.KeyRegisteredBefore.selector, validator(0)), validator(0), "", ""
        );
    }

    function test_register_revertsIfKeyLengthIsWrong() public {
        expect(abi.encodeWithSelector(IBlsKeys.PointLength.selector, 191, 192), stranger, new bytes(191), "");
    }

    function test_register_revertsIfKeyIsTaken() public {
        bytes memory taken = keys.keyOf(validator(1));
        expect(abi.encodeWithSelector(IBlsKeys.KeyTaken.selector, validator(1)), stranger, taken, "");
    }

    function test_register_revertsIfPossessionLengthIsWrong() public {
        bytes memory data = abi.encodeWithSelector(IBlsKeys.PointLength.selector, 97, 96);
        expect(data, stranger, BlsSigner.key(SECRET), new bytes(97));
    }

    function test_register_revertsIfPossessionIsNotProven() public {
        expectNotProven(BlsSigner.key(SECRET), BlsSigner.possession(SECRET, keccak256("another")));
    }

    function test_register__anybody__hasTheKeyForEver() public {
        bytes memory key = BlsSigner.key(SECRET);
        bytes memory possession = BlsSigner.possession(SECRET, keys.possessionStatement(stranger, key));
        vm.expectEmit(address(keys));
        emit IBlsKeys.KeyRegistered(stranger, key);
        vm.prank(stranger);
        keys.register(key, possession);
        assertEq(keccak256(keys.keyOf(stranger)), keccak256(key), "key");
        assertEq(keys.holderOf(keccak256(key)), stranger, "holder");
        assertEq(keys.keyOf(poster).length, 0, "nobody's key is empty");
    }

    function test_possessionStatement__chainContractAccountAndKey__areWhatItCovers() public view {
        bytes memory key = BlsSigner.key(SECRET);
        bytes32 wanted = keccak256(abi.encode(block.chainid, address(keys), stranger, key));
        assertEq(keys.possessionStatement(stranger, key), wanted, "statement");
    }

    function expectNotProven(bytes memory key, bytes memory possession) private {
        expect(
            abi.encodeWithSelector(IBlsKeys.PossessionNotProven.selector, stranger), stranger, key, possession
        );
    }

    function expect(bytes memory data, address account, bytes memory key, bytes memory possession) private {
        vm.expectRevert(data);
        vm.prank(account);
        keys.register(key, possession);
    }
}

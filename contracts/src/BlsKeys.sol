// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBlsKeys} from "./interfaces/IBlsKeys.sol";
import {BlsKeysLib} from "./libraries/BlsKeysLib.sol";
import {BlsLib} from "./libraries/BlsLib.sol";
import {MembersLib} from "./libraries/MembersLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";

/// @title BlsKeys
/// @notice See {IBlsKeys}. There is no owner, and nothing that is written is ever overwritten.
contract BlsKeys is IBlsKeys {
    using MembersLib for bytes;

    /// @inheritdoc IBlsKeys
    mapping(address members => address) public gathered;
    /// @inheritdoc IBlsKeys
    mapping(bytes32 keyHash => address) public holderOf;

    mapping(address account => address) private _keys;

    /// @inheritdoc IBlsKeys
    function register(bytes calldata key, bytes calldata possession) external {
        if (_keys[msg.sender] != address(0)) revert KeyRegisteredBefore(msg.sender);
        if (key.length != BlsLib.KEY_BYTES) revert PointLength(key.length, BlsLib.KEY_BYTES);
        address holder = holderOf[keccak256(key)];
        if (holder != address(0)) revert KeyTaken(holder);
        _checkLength(possession);
        if (!BlsLib.verifyPossession(key, possessionStatement(msg.sender, key), possession)) {
            revert PossessionNotProven(msg.sender);
        }
        holderOf[keccak256(key)] = msg.sender;
        _keys[msg.sender] = BlsKeysLib.storeCode(key);
        emit KeyRegistered(msg.sender, key);
    }

    /// @inheritdoc IBlsKeys
    function gather(address members) external returns (address keys) {
        if (gathered[members] != address(0)) revert KeysGatheredBefore(members, gathered[members]);
        // A list is never empty, and nothing is stored where a list is not stored yet.
        if (!MembersLib.isList(members)) revert MembersUnknown(members);
        bytes memory list = MembersLib.load(members);
        address[] memory pointers = new address[](list.count());
        for (uint256 i = 0; i < pointers.length; ++i) {
            pointers[i] = _keys[list.get(i)];
            if (pointers[i] == address(0)) revert KeyMissing(list.get(i));
        }
        keys = BlsKeysLib.gather(pointers);
        gathered[members] = keys;
        emit KeysGathered(members, keys);
    }

    /// @inheritdoc IBlsKeys
    function verify(address members, bytes32 digest, uint64 signers, bytes calldata signature, bool quorum)
        external
        view
    {
        address keys = gathered[members];
        if (keys == address(0)) revert KeysNotGathered(members);
        uint256 n = BlsKeysLib.count(keys);
        SignatureLib.checkSigners(n, signers, quorum);
        _checkLength(signature);
        uint256 absent = ~uint256(signers) & ((1 << n) - 1);
        if (!BlsLib.verify(BlsKeysLib.sumWithout(keys, absent), digest, signature)) {
            revert AggregateInvalid(signers);
        }
    }

    /// @inheritdoc IBlsKeys
    function keyOf(address account) external view returns (bytes memory) {
        return BlsKeysLib.loadCode(_keys[account]);
    }

    /// @inheritdoc IBlsKeys
    function possessionStatement(address account, bytes calldata key) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), account, key));
    }

    function _checkLength(bytes calldata signature) private pure {
        if (signature.length != BlsLib.SIGNATURE_BYTES) {
            revert PointLength(signature.length, BlsLib.SIGNATURE_BYTES);
        }
    }
}

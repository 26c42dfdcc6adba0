// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {Contribution} from "../types/Certificate.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @title ContributionLib
/// @notice What a miner signed. Nobody is slashed for work that it never claimed, whatever a committee certifies: a
/// small committee can be bought, and the stakes of all miners lie in one vault.
library ContributionLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Contribution(uint256 taskId,uint32 round,uint32 shard,address miner,bytes32 specHash,bytes32 parentModel,"
        "bytes32 gradient,bytes32 batches,uint32 samples,uint64 lossMicros)"
    );

    /// @notice EIP-712 digest. All members are static, so their encoding is EIP-712's `encodeData`.
    function digest(Contribution calldata contribution, bytes32 domainSeparator)
        internal
        pure
        returns (bytes32)
    {
        return
            MessageHashUtils.toTypedDataHash(domainSeparator, keccak256(abi.encode(TYPEHASH, contribution)));
    }

    /// @notice Reverts unless `signature` is the named miner's, 64 bytes (EIP-2098, low s), over `digest_`.
    function requireSigned(Contribution calldata contribution, bytes32 digest_, bytes calldata signature)
        internal
        view
    {
        address signer = signature.length == SignatureLib.SIGNATURE_BYTES
            ? SignatureLib.recover(digest_, signature, 0, 0)
            : address(0);
        if (signer == address(0) || signer != contribution.miner) {
            revert ITrainingMarket.NotSignedByMiner(contribution.taskId, contribution.miner, signer);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";

/// @title CertificateLib
/// @notice EIP-712 hashing of round certificates.
library CertificateLib {
    /// @notice Name and version of the EIP-712 domain.
    string internal constant DOMAIN_NAME = "ProofOfTraining";
    string internal constant DOMAIN_VERSION = "1";

    bytes32 internal constant TYPEHASH = keccak256(
        "RoundCertificate(uint256 taskId,uint32 firstRound,uint32 lastRound,uint32 epoch,bytes32 specHash,"
        "bytes32 parentModel,bytes32 model,bytes32 contributionsRoot,bytes32 faultsRoot,bytes32 payoutsRoot,"
        "uint128 paidTotal,bytes32 segment)"
    );

    uint256 private constant STRUCT_BYTES = 12 * 32;

    /// @notice EIP-712 struct hash. All members are static, so the calldata of the struct is EIP-712's `encodeData`.
    /// @dev Calldata is hashed as it came: a value too wide for its type gives a digest that nobody signs.
    function structHash(RoundCertificate calldata certificate) internal pure returns (bytes32 hash) {
        bytes32 typehash = TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), certificate, STRUCT_BYTES)
            hash := keccak256(free, add(STRUCT_BYTES, 0x20))
        }
    }

    /// @notice Emits `CertificateAccepted`. Its data are the certificate's words as they came, and the signers; the
    /// caller has read each narrow member, which refuses one that is too wide.
    function emitAccepted(RoundCertificate calldata certificate, uint256 index, uint64 signers) internal {
        bytes32 topic = ITrainingMarket.CertificateAccepted.selector;
        TaskId taskId = certificate.taskId;
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, certificate, STRUCT_BYTES)
            mstore(add(free, STRUCT_BYTES), signers)
            log3(free, add(STRUCT_BYTES, 0x20), topic, taskId, index)
        }
    }

    /// @notice Number of rounds covered; the caller has checked that the range is not empty.
    function span(RoundCertificate calldata certificate) internal pure returns (uint256) {
        unchecked {
            return uint256(certificate.lastRound) - certificate.firstRound + 1;
        }
    }

    /// @notice Whether two certificates of one task and committee cover a round in common.
    function overlaps(RoundCertificate calldata a, RoundCertificate calldata b) internal pure returns (bool) {
        return a.taskId == b.taskId && a.epoch == b.epoch && a.firstRound <= b.lastRound
            && b.firstRound <= a.lastRound;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {CertificateRecord, PayoutRecord, RoundCertificate} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";

/// @notice The newest certificates of one task, one slot for each: 27 bytes of the record's hash, then the second from
/// which it is final. 108 bits of collision resistance bind a committee that could as well sign what it likes.
struct Ring {
    bytes32[64] slots;
}

/// @title RecordLib
/// @notice A ring buffer of certificate records. Payouts wait for their own certificate's challenge window, so several
/// certificates must stay claimable; what is stored is bounded, and a certificate that would overwrite the last record
/// whose window has closed is refused.
library RecordLib {
    /// @notice Records kept for a task with a challenge window.
    uint256 internal constant RING = 64;

    /// @notice Records kept for a task without: the newest, and the one before it, so that a certificate does not
    /// break a claim that is on its way.
    uint256 internal constant SHORT_RING = 2;

    uint256 private constant TIME_BITS = 40;

    /// @notice Hash of the fields that a claim does not use.
    function details(CertificateRecord memory record) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                record.firstRound,
                record.lastRound,
                record.signers,
                record.model,
                record.contributionsRoot,
                record.faultsRoot
            )
        );
    }

    /// @notice Hash of a record: claims show `details` in place of the fields under it.
    function hash(uint256 index, uint256 paidTotal, bytes32 payoutsRoot, bytes32 details_)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(index, paidTotal, payoutsRoot, details_));
    }

    /// @notice Stores certificate number `index`, final from `maturesAt` on.
    function push(
        Ring storage self,
        RoundCertificate calldata certificate,
        uint64 signers,
        uint256 index,
        uint256 window
    ) internal {
        bytes32 details_ = keccak256(
            abi.encode(
                certificate.firstRound,
                certificate.lastRound,
                signers,
                certificate.model,
                certificate.contributionsRoot,
                certificate.faultsRoot
            )
        );
        bytes32 hash_ = hash(index, certificate.paidTotal, certificate.payoutsRoot, details_);
        uint256 size = capacity(window);
        // With a window, what is overwritten must leave at least one record that can be claimed from.
        if (window != 0 && index + 1 >= size) {
            uint256 oldest = maturity(self.slots[(index + 1) % size]);
            if (block.timestamp < oldest) revert ITrainingMarket.RingFull(certificate.taskId, oldest);
        }
        self.slots[index % size] = pack(hash_, block.timestamp + window);
    }

    /// @notice Reverts unless `record` is one of the `count` certificates that stand and is still kept.
    /// @return maturesAt Second from which it is final.
    function requireKept(
        Ring storage self,
        TaskId taskId,
        CertificateRecord calldata record,
        uint256 count,
        uint256 window
    ) internal view returns (uint256 maturesAt) {
        bytes32 hash_ = hash(record.index, record.paidTotal, record.payoutsRoot, details(record));
        return requireHash(self, taskId, record.index, hash_, count, window);
    }

    /// @notice The same for the part that a claim shows, and the root that its proof leads to.
    function requireKept(
        Ring storage self,
        TaskId taskId,
        PayoutRecord calldata record,
        bytes32 payoutsRoot,
        uint256 count,
        uint256 window
    ) internal view returns (uint256 maturesAt) {
        bytes32 hash_ = hash(record.index, record.paidTotal, payoutsRoot, record.details);
        return requireHash(self, taskId, record.index, hash_, count, window);
    }

    /// @notice Second from which the newest of `count` >= 1 certificates is final.
    function newestMaturity(Ring storage self, uint256 count, uint256 window)
        internal
        view
        returns (uint256)
    {
        return maturity(self.slots[(count - 1) % capacity(window)]);
    }

    function requireHash(
        Ring storage self,
        TaskId taskId,
        uint256 index,
        bytes32 hash_,
        uint256 count,
        uint256 window
    ) private view returns (uint256 maturesAt) {
        bytes32 slot = self.slots[index % capacity(window)];
        maturesAt = maturity(slot);
        // The hash covers the index, so a record that was overwritten does not match; the count puts out those that
        // an appeal overturned.
        if (index >= count || slot != pack(hash_, maturesAt)) {
            revert ITrainingMarket.RecordUnknown(taskId, index);
        }
    }

    function capacity(uint256 window) private pure returns (uint256) {
        return window == 0 ? SHORT_RING : RING;
    }

    function maturity(bytes32 slot) private pure returns (uint256) {
        return uint40(uint256(slot));
    }

    function pack(bytes32 hash_, uint256 time) private pure returns (bytes32) {
        return bytes32((uint256(hash_) >> TIME_BITS << TIME_BITS) | time);
    }
}

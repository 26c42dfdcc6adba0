// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {CertificateRecord, PayoutRecord, RoundCertificate} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";
import {CertificateLib} from "./CertificateLib.sol";
import {QuorumLib} from "./QuorumLib.sol";

/// @notice The newest certificates of one task, one slot for each: 25 bytes of the record's hash, the number of signers
/// (1 byte), the number of rounds covered (2 bytes), and the second from which it is final (4 bytes, until the year 2106).
/// 100 bits of collision resistance bind a committee that could as well sign what it likes.
struct Ring {
    bytes32[64] slots;
}

/// @notice What a slot says in clear.
/// @param maturesAt Second from which the certificate is final; 0 for none.
/// @param span Number of rounds covered.
/// @param signers Number of signers.
struct Stored {
    uint256 maturesAt;
    uint256 span;
    uint256 signers;
}

/// @title RecordLib
/// @notice A ring buffer of certificate records. Payouts wait for their own certificate's challenge window, so several
/// certificates must stay claimable; what is stored is bounded, and a certificate that would overwrite the last record
/// whose window has closed is refused.
library RecordLib {
    using CertificateLib for RoundCertificate;

    /// @notice Records kept for a task with a challenge window.
    uint256 internal constant RING = 64;

    /// @notice Records kept for a task without: the newest, and the one before it, so that a certificate does not
    /// break a claim that is on its way.
    uint256 internal constant SHORT_RING = 2;

    uint256 private constant TIME_BITS = 32;
    uint256 private constant SPAN_BITS = 16;
    uint256 private constant CLEAR_BITS = 56;

    /// @notice Fills the slots of a task without a challenge window with what no record hashes to, so that the poster
    /// pays for them and every certificate costs what an overwriting one does.
    function open(Ring storage self, uint256 window) internal {
        if (window != 0) return;
        for (uint256 i = 0; i < SHORT_RING; ++i) {
            self.slots[i] = bytes32(uint256(1));
        }
    }

    /// @notice Stores certificate number `index`, whose window of `window` seconds begins at `begins`.
    function push(
        Ring storage self,
        RoundCertificate calldata certificate,
        uint64 signers,
        uint256 index,
        uint256 window,
        uint256 begins
    ) internal {
        uint256 size = SHORT_RING;
        if (window != 0) {
            size = RING;
            checkRoom(self, certificate.taskId, index);
            begins += window;
        }
        uint256 clear = (QuorumLib.popcount(signers) << SPAN_BITS) | certificate.span();
        clear = (clear << TIME_BITS) | begins;
        uint256 hash_ =
            hash(index, certificate.paidTotal, certificate.payoutsRoot, details(certificate, signers));
        self.slots[index % size] = bytes32((hash_ >> CLEAR_BITS << CLEAR_BITS) | clear);
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
        uint256 hash_ = hash(record.index, record.paidTotal, record.payoutsRoot, details(record));
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
        uint256 hash_ = hash(record.index, record.paidTotal, payoutsRoot, record.details);
        return requireHash(self, taskId, record.index, hash_, count, window);
    }

    /// @notice The newest of `count` certificates; all zero when there is none.
    function newest(Ring storage self, uint256 count, uint256 window)
        internal
        view
        returns (Stored memory stored)
    {
        if (count == 0) return stored;
        uint256 slot = uint256(self.slots[(count - 1) % capacity(window)]);
        stored.maturesAt = uint32(slot);
        stored.span = uint16(slot >> TIME_BITS);
        stored.signers = uint8(slot >> (TIME_BITS + SPAN_BITS));
    }

    /// @dev What is overwritten must leave at least one record that can be claimed from.
    function checkRoom(Ring storage self, TaskId taskId, uint256 index) private view {
        if (index + 1 < RING) return;
        uint256 oldest = uint32(uint256(self.slots[(index + 1) % RING]));
        if (block.timestamp < oldest) revert ITrainingMarket.RingFull(taskId, oldest);
    }

    function requireHash(
        Ring storage self,
        TaskId taskId,
        uint256 index,
        uint256 hash_,
        uint256 count,
        uint256 window
    ) private view returns (uint256 maturesAt) {
        uint256 slot = uint256(self.slots[index % capacity(window)]);
        // The hash covers the index, so a record that was overwritten does not match; the count puts out those that
        // an appeal overturned.
        if (index >= count || (slot ^ hash_) >> CLEAR_BITS != 0) {
            revert ITrainingMarket.RecordUnknown(taskId, index);
        }
        return uint32(slot);
    }

    function hash(uint256 index, uint256 paidTotal, bytes32 payoutsRoot, bytes32 details_)
        private
        pure
        returns (uint256)
    {
        return uint256(keccak256(abi.encode(index, paidTotal, payoutsRoot, details_)));
    }

    function details(CertificateRecord calldata r) private pure returns (bytes32) {
        return keccak256(
            abi.encode(r.firstRound, r.lastRound, r.signers, r.model, r.contributionsRoot, r.faultsRoot)
        );
    }

    function details(RoundCertificate calldata c, uint64 signers) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(c.firstRound, c.lastRound, signers, c.model, c.contributionsRoot, c.faultsRoot)
            );
    }

    function capacity(uint256 window) private pure returns (uint256) {
        return window == 0 ? SHORT_RING : RING;
    }
}

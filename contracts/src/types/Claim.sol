// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {PayoutRecord, RoundCertificate} from "./Certificate.sol";
import {TaskId} from "./Ids.sol";

/// @notice One payout to be claimed, the arguments of `claim`.
/// @param taskId The task.
/// @param record Certificate whose window has closed.
/// @param account Who is paid.
/// @param cumulative All payouts of `account` in the task, as certified.
/// @param proof Path from the leaf `(account, cumulative)` to the certificate's payouts root.
struct PayoutClaim {
    TaskId taskId;
    PayoutRecord record;
    address account;
    uint256 cumulative;
    bytes32[] proof;
}

/// @notice One certificate to be posted, the arguments of `certify`.
/// @param certificate What the committee signed.
/// @param signers Bitmap over the task's committee.
/// @param signatures 64 bytes for each set bit, ascending; or one BLS aggregate of 96 bytes.
struct SignedCertificate {
    RoundCertificate certificate;
    uint64 signers;
    bytes signatures;
}

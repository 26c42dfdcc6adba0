// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../interfaces/ICommittee.sol";
import {MembersLib} from "./MembersLib.sol";
import {QuorumLib} from "./QuorumLib.sol";

/// @title SignatureLib
/// @notice Compact (EIP-2098) signatures of committee members: 64 bytes, `r` then `vs`, `s` in the lower half.
library SignatureLib {
    using MembersLib for bytes;

    uint256 internal constant SIGNATURE_BYTES = 64;

    /// @dev EIP-2098: the top bit of the second word is the parity, the rest is `s`.
    uint256 private constant S_MASK = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF;

    /// @dev Half the order of secp256k1, rounded down; above it, `s` has a twin below (EIP-2).
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Reverts unless `signatures` holds, ascending by position, one signature over `digest` of each
    /// member whose bit is set, and the set bits are a quorum of `members`, or any of them without `needQuorum`.
    function verify(
        bytes memory members,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures,
        bool needQuorum
    ) internal view {
        uint256 signed = checkSigners(members.count(), signers, needQuorum);
        if (signatures.length != signed * SIGNATURE_BYTES) {
            revert ICommittee.SignaturesLength(signatures.length, signed * SIGNATURE_BYTES);
        }
        uint256 offset = 0;
        uint256 index = 0;
        // The bitmap has no bit beyond n, and the offset ends at the length: neither can overflow.
        unchecked {
            for (uint256 rest = signers; rest != 0; rest >>= 1) {
                if (rest & 1 != 0) {
                    address recovered = recover(digest, signatures, offset, index);
                    address expected = members.get(index);
                    if (recovered != expected) revert ICommittee.WrongSigner(index, expected, recovered);
                    offset += SIGNATURE_BYTES;
                }
                ++index;
            }
        }
    }

    /// @notice Reverts unless the `signers` are members of a committee of `n`, at most 64, and, when `needQuorum`, a quorum.
    /// @return signed Number of signers.
    function checkSigners(uint256 n, uint64 signers, bool needQuorum) internal pure returns (uint256 signed) {
        if (uint256(signers) >> n != 0) revert ICommittee.SignerOutOfRange(signers, n);
        signed = QuorumLib.popcount(signers);
        uint256 needed = QuorumLib.quorum(n);
        if (needQuorum && signed < needed) revert ICommittee.QuorumMissing(signed, needed);
    }

    /// @notice Signer of the 64 bytes from `offset` on, which the caller has checked to be there; zero when they are
    /// no signature of anybody.
    /// @param index Position that an error names.
    function recover(bytes32 digest, bytes calldata signatures, uint256 offset, uint256 index)
        internal
        view
        returns (address signer)
    {
        uint256 s;
        // ecrecover answers nothing for what is no signature: the zero in scratch space stays.
        assembly ("memory-safe") {
            let at := add(signatures.offset, offset)
            let vs := calldataload(add(at, 0x20))
            s := and(vs, S_MASK)
            let free := mload(0x40)
            mstore(free, digest)
            mstore(add(free, 0x20), add(shr(255, vs), 27))
            mstore(add(free, 0x40), calldataload(at))
            mstore(add(free, 0x60), s)
            mstore(0, 0)
            pop(staticcall(gas(), 1, free, 0x80, 0, 0x20))
            signer := mload(0)
        }
        if (s > HALF_ORDER) revert ICommittee.MalleableSignature(index, bytes32(s));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A minority tries to look like a quorum: a signer counted twice, the malleable twin of a signature, a
/// foreign key, a former member's key.
contract ForgedQuorumAttack is MarketFixture {
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    RoundCertificate private good;
    bytes32 private digest;

    function setUp() public override {
        super.setUp();
        good = nextCertificate(startedTask());
        digest = market.certificateDigest(good);
    }

    function test_forge__repeatedSigner__reverts() public {
        bytes memory one = compact(validatorKeys[0], digest);
        attack(
            bytes.concat(one, one, compact(validatorKeys[1], digest)),
            abi.encodeWithSelector(ICommittee.WrongSigner.selector, 1, validator(1), validator(0))
        );
    }

    function test_forge__foreignSigner__reverts() public {
        attack(
            bytes.concat(signaturesOf(digest, 3), compact(posterKey, digest)),
            abi.encodeWithSelector(ICommittee.WrongSigner.selector, 2, validator(2), poster)
        );
    }

    /// @dev EIP-2098 has one bit for the parity and none for a high s below 2**255, so the twin fits the format.
    function test_forge__malleableTwin__reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(validatorKeys[2], digest);
        uint256 high = N - uint256(s);
        uint256 parity = v == 27 ? 1 : 0;
        if (high >> 255 != 0) {
            // The twin does not even fit: its top bit is read as the parity, and somebody else is recovered.
            vm.expectRevert();
            market.certify(good, THREE, twin(r, high));
            return;
        }
        attack(
            twin(r, high | (parity << 255)),
            abi.encodeWithSelector(ICommittee.MalleableSignature.selector, 2, bytes32(high))
        );
    }

    function testFuzz_forge__highS__reverts(bytes32 r, uint256 s) public {
        uint256 half = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
        s = bound(s, half + 1, (uint256(1) << 255) - 1);
        attack(twin(r, s), abi.encodeWithSelector(ICommittee.MalleableSignature.selector, 2, bytes32(s)));
    }

    function test_forge__memberOfALaterEpoch__reverts() public {
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        address[] memory old = committee.membersOf(epochOne());
        bytes memory signed = signaturesOf(digest, type(uint64).max);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.SignerOutOfRange.selector, uint64(127), old.length));
        market.certify(good, 127, signed);
    }

    function twin(bytes32 r, uint256 vs) private view returns (bytes memory) {
        return bytes.concat(signaturesOf(digest, 3), abi.encodePacked(r, vs));
    }

    function attack(bytes memory forged, bytes memory data) private {
        vm.expectRevert(data);
        market.certify(good, THREE, forged);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsKeysLib} from "../../src/libraries/BlsKeysLib.sol";
import {BlsLib} from "../../src/libraries/BlsLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {QuorumLib} from "../../src/libraries/QuorumLib.sol";
import {SignatureLib} from "../../src/libraries/SignatureLib.sol";
import {Test} from "../utils/Test.sol";
import {BlsMinPk} from "../bls/BlsMinPk.sol";
import {BlsSigner} from "../bls/BlsSigner.sol";
import {BlsFixture} from "../bls/BlsFixture.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";

/// @notice The three ways to check a quorum, each behind one external function, so that whole transactions compare.
contract Schemes {
    address private members;
    address private minSig;
    address private minPk;

    function storeMembers(uint256[] calldata words) external {
        members = MembersLib.store(words, bytes32(0));
    }

    function storeMinSig(bytes calldata sum, bytes calldata packed) external {
        minSig = BlsKeysLib.storeCode(bytes.concat(sum, packed));
    }

    function storeMinPk(bytes calldata sum, bytes calldata packed) external {
        minPk = BlsMinPk.store(sum, packed);
    }

    function ecdsa(bytes32 digest, uint64 signers, bytes calldata signatures) external view {
        SignatureLib.verify(MembersLib.load(members), digest, signers, signatures, true);
    }

    function aggregateInG1(uint256 n, bytes32 digest, uint64 signers, bytes calldata signature)
        external
        view
    {
        uint256 absent = ~signers & ((uint256(1) << n) - 1);
        require(BlsLib.verify(BlsKeysLib.sumWithout(minSig, absent), digest, signature), "aggregate");
    }

    function aggregateInG2(uint256 n, bytes32 digest, uint64 signers, bytes calldata signature)
        external
        view
    {
        uint256 absent = ~signers & ((uint256(1) << n) - 1);
        require(BlsMinPk.verify(BlsMinPk.sumWithout(minPk, absent), digest, signature), "aggregate");
    }
}

/// @notice Gas of whole transactions that check the signatures of a committee, by scheme and size, with everybody signing
/// and with as many absent as the protocol tolerates: the figures of docs/adr/0014.
/// forge-config: default.isolate = true
contract BlsGasTest is Test {
    bytes32 private constant DIGEST = keccak256("digest");

    function test_schemes__committeesOfEverySize__areMeasured() public {
        measure(4);
        measure(7);
        measure(16);
        measure(31);
        measure(40);
        measure(64);
    }

    function measure(uint256 n) private {
        Schemes schemes = new Schemes();
        uint256[] memory secrets = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            secrets[i] = BlsSigner.secret(i);
        }
        uint64 all = uint64((uint256(1) << n) - 1);
        // The first ones are absent: their keys are subtracted.
        uint64 quorum = all & ~uint64((uint256(1) << (n - QuorumLib.quorum(n))) - 1);
        secrets = ascending(secrets);
        ecdsa(schemes, secrets, all, quorum);
        minSig(schemes, secrets, all, quorum);
        minPk(schemes, secrets, all, quorum);
    }

    function ecdsa(Schemes schemes, uint256[] memory secrets, uint64 all, uint64 quorum) private {
        uint256 n = secrets.length;
        uint256[] memory words = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            words[i] = MembersLib.word(vm.addr(secrets[i]), 1);
        }
        schemes.storeMembers(words);
        snapshot("ecdsa, store", n);
        send(schemes, abi.encodeCall(Schemes.ecdsa, (DIGEST, all, signatures(secrets, all))));
        snapshot("ecdsa, all", n);
        send(schemes, abi.encodeCall(Schemes.ecdsa, (DIGEST, quorum, signatures(secrets, quorum))));
        snapshot("ecdsa, quorum", n);
    }

    function minSig(Schemes schemes, uint256[] memory secrets, uint64 all, uint64 quorum) private {
        uint256 n = secrets.length;
        bytes memory packed;
        for (uint256 i = 0; i < n; ++i) {
            packed = bytes.concat(packed, BlsSigner.key(secrets[i]));
        }
        uint256 total = BlsSigner.sum(secrets, all);
        schemes.storeMinSig(BlsSigner.g2(BlsSigner.GENERATOR_G2, total), packed);
        snapshot("minimal signature, store", n);
        send(schemes, abi.encodeCall(Schemes.aggregateInG1, (n, DIGEST, all, BlsSigner.sign(total, DIGEST))));
        snapshot("minimal signature, all", n);
        total = BlsSigner.sum(secrets, quorum);
        send(
            schemes, abi.encodeCall(Schemes.aggregateInG1, (n, DIGEST, quorum, BlsSigner.sign(total, DIGEST)))
        );
        snapshot("minimal signature, quorum", n);
    }

    function minPk(Schemes schemes, uint256[] memory secrets, uint64 all, uint64 quorum) private {
        uint256 n = secrets.length;
        bytes memory packed;
        for (uint256 i = 0; i < n; ++i) {
            packed = bytes.concat(packed, BlsSigner.pack(BlsSigner.g1(BlsSigner.GENERATOR_G1, secrets[i])));
        }
        uint256 total = BlsSigner.sum(secrets, all);
        bytes memory hashed = BlsMinPk.hashToG2(abi.encodePacked(DIGEST), BlsMinPk.SIGNATURE_TAG);
        schemes.storeMinPk(BlsSigner.g1(BlsSigner.GENERATOR_G1, total), packed);
        snapshot("minimal key, store", n);
        send(
            schemes,
            abi.encodeCall(
                Schemes.aggregateInG2, (n, DIGEST, all, BlsSigner.pack(BlsSigner.g2(hashed, total)))
            )
        );
        snapshot("minimal key, all", n);
        total = BlsSigner.sum(secrets, quorum);
        send(
            schemes,
            abi.encodeCall(
                Schemes.aggregateInG2, (n, DIGEST, quorum, BlsSigner.pack(BlsSigner.g2(hashed, total)))
            )
        );
        snapshot("minimal key, quorum", n);
    }

    /// @dev A call that may write, so that it is a transaction of its own.
    function send(Schemes schemes, bytes memory data) private {
        (bool done,) = address(schemes).call(data);
        assertTrue(done, "accepted");
    }

    function snapshot(string memory name, uint256 n) private {
        vm.snapshotGasLastCall("schemes", string.concat(name, ", ", vm.toString(n)));
    }

    function signatures(uint256[] memory secrets, uint64 signers) private pure returns (bytes memory packed) {
        for (uint256 i = 0; i < secrets.length; ++i) {
            if ((signers >> i) & 1 == 0) continue;
            (bytes32 r, bytes32 vs) = vm.signCompact(secrets[i], DIGEST);
            packed = abi.encodePacked(packed, r, vs);
        }
    }

    /// @dev By address, as the members of a committee are.
    function ascending(uint256[] memory secrets) private pure returns (uint256[] memory) {
        for (uint256 i = 1; i < secrets.length; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(secrets[j - 1]) > vm.addr(secrets[j]); --j) {
                (secrets[j - 1], secrets[j]) = (secrets[j], secrets[j - 1]);
            }
        }
        return secrets;
    }
}

/// @notice Gas of whole certificates that carry an aggregate, and of what comes before them.
/// forge-config: default.isolate = true
contract BlsCertificateGasTest is BlsFixture {
    /// @dev Members from which on one aggregate is cheaper than a quorum of signatures.
    uint256 private constant FROM_AT_BEST = 43;
    uint256 private constant FROM_AT_WORST = 49;

    function test_certify__eitherScheme__isMeasuredAtEverySize() public {
        register(stranger, 1);
        vm.snapshotGasLastCall("bls", "register");
        vm.snapshotValue("sizes", "BlsKeys", address(keys).code.length);
        uint8[10] memory sizes = [4, 7, 16, 31, 40, 43, 46, 49, 52, 64];
        for (uint256 i = 0; i < sizes.length; ++i) {
            committeeOf(sizes[i]);
        }
    }

    function committeeOf(uint256 size) private {
        addValidators(size - validatorKeys.length);
        registerAll();
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        TaskId taskId = startedTask();
        keys.gather(membersAt(taskId));
        snapshot("gather", size);
        uint64 all = uint64((uint256(1) << size) - 1);
        uint64 quorum = all & ~uint64((uint256(1) << (size - QuorumLib.quorum(size))) - 1);
        RoundCertificate memory c = nextCertificate(taskId);
        market.certify(c, quorum, signatures(c, quorum));
        c = nextCertificate(taskId);
        bytes memory signed = signatures(c, quorum);
        market.certify(c, quorum, signed);
        uint256 separate = snapshot("certify, quorum, signatures", size);
        uint256 atBest = certified("certify, all, aggregate", taskId, all);
        uint256 atWorst = certified("certify, quorum, aggregate", taskId, quorum);
        assertTrue((atBest < separate) == (size >= FROM_AT_BEST), "cheaper from here on when all sign");
        assertTrue((atWorst < separate) == (size >= FROM_AT_WORST), "cheaper from here on with a bare quorum");
    }

    function certified(string memory name, TaskId taskId, uint64 signers) private returns (uint256) {
        RoundCertificate memory c = nextCertificate(taskId);
        bytes memory signature = aggregate(c, signers);
        market.certify(c, signers, signature);
        return snapshot(name, validatorKeys.length);
    }

    function snapshot(string memory name, uint256 size) private returns (uint256) {
        return vm.snapshotGasLastCall("bls", string.concat(name, ", ", vm.toString(size)));
    }
}

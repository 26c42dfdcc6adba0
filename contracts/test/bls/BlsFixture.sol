// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";
import {BlsSigner} from "./BlsSigner.sol";

/// @notice Validators that registered BLS keys, and their aggregates.
abstract contract BlsFixture is MarketFixture {
    IBlsKeys internal keys;

    function setUp() public virtual override {
        super.setUp();
        keys = committee.KEYS();
        registerAll();
    }

    function registerAll() internal {
        for (uint256 i = 0; i < validatorKeys.length; ++i) {
            if (keys.keyOf(validator(i)).length == 0) register(validator(i), secret(i));
        }
    }

    function register(address account, uint256 secret_) internal {
        bytes memory key = BlsSigner.key(secret_);
        bytes memory possession = BlsSigner.possession(secret_, keys.possessionStatement(account, key));
        vm.prank(account);
        keys.register(key, possession);
    }

    /// @dev The secret that goes with a validator's own key.
    function secret(uint256 index) internal view returns (uint256) {
        return BlsSigner.secret(validatorKeys[index]);
    }

    function membersAt(TaskId taskId) internal view returns (address) {
        return committee.panelOf(taskId, 0).members;
    }

    function aggregate(bytes32 digest, uint64 signers) internal view returns (bytes memory) {
        uint256[] memory secrets = new uint256[](validatorKeys.length);
        for (uint256 i = 0; i < secrets.length; ++i) {
            secrets[i] = secret(i);
        }
        return BlsSigner.sign(BlsSigner.sum(secrets, signers), digest);
    }

    function aggregate(RoundCertificate memory certificate, uint64 signers)
        internal
        view
        returns (bytes memory)
    {
        return aggregate(market.certificateDigest(certificate), signers);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token that calls back during each transfer, or keeps a part of it.
contract HostileToken is ERC20 {
    uint256 public constant FAUCET_AMOUNT = 1_000_000 ether;

    address public target;
    bytes public data;
    uint256 public fee;
    bool public called;
    bool public succeeded;
    bytes4 public reason;

    constructor() ERC20("Hostile", "HOST") {}

    function faucet(address account) external {
        _mint(account, FAUCET_AMOUNT);
    }

    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from == address(0)) return;
        if (fee != 0) super._update(to, address(0xFEE), fee);
        if (target == address(0)) return;
        address once = target;
        target = address(0);
        called = true;
        bytes memory result;
        (succeeded, result) = once.call(data);
        reason = bytes4(result);
    }
}

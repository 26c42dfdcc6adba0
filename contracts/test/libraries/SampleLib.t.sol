// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SampleLib} from "../../src/libraries/SampleLib.sol";
import {Test} from "../utils/Test.sol";

contract SampleLibTest is Test {
    bytes private constant SEED =
        hex"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40";
    uint256 private constant ROUNDS = 3;
    uint256 private constant SHARDS = 2;
    uint256 private constant HALF_PPM = 500_000;
    /// @dev Less than what one call of the hash needs, so that the gas runs out within each of them once.
    uint256 private constant STEP = 16;
    address private constant SHA256 = address(2);

    function test_holds__hashFails__revertsInsteadOfLying() public {
        this.holds(1);
        vm.mockCallRevert(SHA256, abi.encodePacked("place/", SEED), "");
        vm.expectRevert();
        this.holds(1);
        vm.clearMockedCalls();
        this.holds(1);
    }

    /// @notice Whoever answers an accusation chooses the gas: too little must never make another sample.
    function test_holds__gasRunsOutAnywhere__revertsInsteadOfLying() public view {
        for (uint256 round = 1; round <= ROUNDS; ++round) {
            uint256 before = gasleft();
            bool held = this.holds(round);
            uint256 most = before - gasleft();
            uint256 starved = 0;
            for (uint256 gas_ = 0; gas_ < most; gas_ += STEP) {
                (bool done, bytes memory said) =
                    address(this).staticcall{gas: gas_}(abi.encodeCall(this.holds, (round)));
                if (done) assertTrue(abi.decode(said, (bool)) == held, "held");
                else ++starved;
            }
            assertTrue(starved > 10, "the gas ran out");
        }
    }

    function test_holds__halfOfTheShards__areInTheSample() public view {
        uint256 count = 0;
        for (uint256 round = 1; round <= ROUNDS; ++round) {
            for (uint256 shard = 0; shard < SHARDS; ++shard) {
                if (SampleLib.holds(SEED, ROUNDS, SHARDS, HALF_PPM, round, shard)) ++count;
            }
        }
        assertEq(count, ROUNDS * SHARDS / 2, "count");
    }

    function testFuzz_holds__anyShare__countsItsQuota(bytes32 source, uint256 sharePpm) public view {
        bytes memory seed = abi.encodePacked(source, source, uint8(0));
        sharePpm = bound(sharePpm, 0, SampleLib.PPM);
        uint256 count = 0;
        for (uint256 shard = 0; shard < ROUNDS * SHARDS; ++shard) {
            if (SampleLib.holds(seed, ROUNDS, SHARDS, sharePpm, 1 + shard / SHARDS, shard % SHARDS)) ++count;
        }
        assertEq(count, SampleLib.quota(seed, ROUNDS * SHARDS * sharePpm, 0), "count");
    }

    function testFuzz_quota__anyShare__isItsFloorOrOneMoreAndWholeSharesAreThemselves(
        bytes memory seed,
        uint256 wantedPpm,
        uint64 window
    ) public pure {
        wantedPpm = bound(wantedPpm, 0, SampleLib.WINDOW * SampleLib.PPM);
        uint256 places = SampleLib.quota(seed, wantedPpm, window);
        uint256 least = wantedPpm / SampleLib.PPM;
        assertTrue(places == least || (places == least + 1 && wantedPpm % SampleLib.PPM != 0), "places");
    }

    function test_quota__manyWindows__addUpToTheShare() public pure {
        uint256 sum = 0;
        for (uint256 window = 0; window < 4_000; ++window) {
            sum += SampleLib.quota(SEED, 2_300_000, window);
        }
        // 2.3 each: 9,200, standard deviation 29.
        assertTrue(sum > 9_060 && sum < 9_340, "sum");
    }

    function holds(uint256 round) external view returns (bool) {
        return SampleLib.holds(SEED, ROUNDS, SHARDS, HALF_PPM, round, 1);
    }
}

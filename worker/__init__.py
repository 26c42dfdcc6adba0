"""GPU work: how a shard is trained, by the miner that is paid for it and by whoever replays it."""

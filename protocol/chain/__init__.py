"""How every actor talks to the chain: a client, a sender, one class per contract, typed events."""

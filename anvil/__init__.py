"""Everything local: tools found or fetched, a local chain, a local broker, a whole local network."""

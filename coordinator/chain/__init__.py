"""Reading the chain into the index, and talking to the committee that it names."""

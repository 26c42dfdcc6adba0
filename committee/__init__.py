"""A validator: the PBFT core, its log, its transport, and the verification of what it is asked to sign."""

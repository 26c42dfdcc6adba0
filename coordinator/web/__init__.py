"""The pages: what people see of a network, and what their wallets sign."""

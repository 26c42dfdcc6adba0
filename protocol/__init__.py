"""The shared vocabulary of Proof of Training: frozen values that every actor understands and can verify."""

"""What people do about disputes: challenge, appeal, look, see to what is due. No validator need be there."""

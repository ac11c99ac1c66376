"""What judges of others say of howdah; started by tests/run."""

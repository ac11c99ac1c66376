"""Tests of howdah against real servers and real clients; started by tests/run."""

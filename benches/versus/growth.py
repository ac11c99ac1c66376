"""How howdah's cost grows with the servers of a pool."""

ROWS = []

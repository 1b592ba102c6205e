"""RTL in Amaranth: what becomes gates."""

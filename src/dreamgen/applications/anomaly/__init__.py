"""Odd rows: which they are, how odd, and why."""

"""Gaps of tables and logs, filled."""

"""Experiments: each claim of the mission as a table and a picture."""

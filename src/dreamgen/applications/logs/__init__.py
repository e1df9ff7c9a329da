"""Sensor logs: windows over them, and where they are odd."""

"""What models are used for: one task a file."""

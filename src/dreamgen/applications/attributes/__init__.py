"""What the codes of a model know of attributes: probes, directions, edits."""

"""Pictures of parts: where they are odd."""

"""Chemistry: molecules as text, their properties and checks, all from RDKit. It knows nothing of models."""

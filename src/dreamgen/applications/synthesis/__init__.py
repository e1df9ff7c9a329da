"""Synthetic rows, and a model that may be handed on."""

"""Experiments: what is claimed of autoencoders, measured. Each is one module and one page in docs/experiments/."""

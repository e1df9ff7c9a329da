"""Ways to break dreamgen, each with a count of how often it held; `benchmarks/break_it.py` runs them."""

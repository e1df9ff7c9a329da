"""What `benchmarks/anomaly.py` is made of: the sets and their splits, both sides, and the page."""

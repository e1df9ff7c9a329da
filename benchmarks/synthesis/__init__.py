"""Parts of synthetic.py: the data, the synthesizers as processes of their own, and the tables."""

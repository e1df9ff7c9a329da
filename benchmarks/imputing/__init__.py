"""Parts of the benchmark of gap filling: tables, holes, peers, ourselves, what is measured."""

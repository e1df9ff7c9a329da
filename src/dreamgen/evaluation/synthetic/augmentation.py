"""Do synthetic rows help where real ones are few? Real and synthetic together against the same real rows alone."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from dreamgen.evaluation.synthetic.utility import Learner, boosting, utility
from dreamgen.evaluation.synthetic.view import Kinds, sample_rows

Make = Callable[[pa.Table, int, int], pa.Table]
"""Real rows, how many to make and a seed, to synthetic rows."""


def augmentation(
    train: pa.Table,
    test: pa.Table,
    target: str,
    kinds: Kinds,
    make: Make,
    *,
    sizes: Sequence[int] = (100, 500, 2000),
    times: int = 1,
    seed: int = 0,
    judge: Learner = boosting,
) -> dict[int, dict[str, dict[str, float]]]:
    """For each number of real rows: the scores of `real` alone and of `both`, on the same real test rows.

    Args:
        make: fits to the few rows and nothing else.
        times: synthetic rows for each real one.
    """
    found = {}
    for size in sizes:
        few = sample_rows(train, size, seed)
        synthetic = make(few, size * times, seed).select(few.column_names).cast(few.schema)
        both = pa.concat_tables([few, synthetic])
        found[size] = {
            name: utility(rows, test, target, kinds, seed=seed, judge=judge)
            for name, rows in (("real", few), ("both", both))
        }
    return found

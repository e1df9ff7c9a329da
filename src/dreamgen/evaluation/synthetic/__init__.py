"""What synthetic rows are worth: their likeness, their use and whom they give away. Deterministic by seed."""

from dreamgen.evaluation.synthetic.augmentation import augmentation
from dreamgen.evaluation.synthetic.detection import detection
from dreamgen.evaluation.synthetic.measure import measure, privacy
from dreamgen.evaluation.synthetic.membership import membership
from dreamgen.evaluation.synthetic.neighbours import nearness
from dreamgen.evaluation.synthetic.rare import rare_categories
from dreamgen.evaluation.synthetic.shapes import column_shapes, missing_shares
from dreamgen.evaluation.synthetic.trends import pair_trends
from dreamgen.evaluation.synthetic.utility import utility
from dreamgen.evaluation.synthetic.view import Kinds, kinds_of

__all__ = [
    "Kinds",
    "augmentation",
    "column_shapes",
    "detection",
    "kinds_of",
    "measure",
    "membership",
    "missing_shares",
    "nearness",
    "pair_trends",
    "privacy",
    "rare_categories",
    "utility",
]

"""What dreamt molecules are worth, in the figures of the field. Deterministic by seed."""

from dreamgen.evaluation.molecules.counts import cosine, fragments, scaffold
from dreamgen.evaluation.molecules.facts import DESCRIPTORS, VALUES, Facts, facts_of
from dreamgen.evaluation.molecules.likeness import likeness
from dreamgen.evaluation.molecules.measure import measure
from dreamgen.evaluation.molecules.pictures import property_histograms

__all__ = [
    "DESCRIPTORS",
    "VALUES",
    "Facts",
    "cosine",
    "facts_of",
    "fragments",
    "likeness",
    "measure",
    "property_histograms",
    "scaffold",
]

"""What training minimises, and how its weights change over time."""

from dreamgen.objectives.bounds import OBJECTIVES, NegativeELBO, Objective, Terms, build_objective
from dreamgen.objectives.features import FEATURES, Features, feature_errors
from dreamgen.objectives.perceptual import Perceptual
from dreamgen.objectives.schedules import SCHEDULES, Schedule, learning_rate_schedule
from dreamgen.objectives.total_correlation import RateParts, TotalCorrelation, take_apart

__all__ = [
    "FEATURES",
    "OBJECTIVES",
    "SCHEDULES",
    "Features",
    "NegativeELBO",
    "Objective",
    "Perceptual",
    "RateParts",
    "Schedule",
    "Terms",
    "TotalCorrelation",
    "build_objective",
    "feature_errors",
    "learning_rate_schedule",
    "take_apart",
]

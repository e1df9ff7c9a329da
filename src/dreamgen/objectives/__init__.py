"""What training minimises, and how its weights change over time."""

from dreamgen.objectives.bounds import OBJECTIVES, NegativeELBO, Objective, Terms, build_objective
from dreamgen.objectives.schedules import SCHEDULES, Schedule, learning_rate_schedule
from dreamgen.objectives.total_correlation import RateParts, TotalCorrelation, take_apart

__all__ = [
    "OBJECTIVES",
    "SCHEDULES",
    "NegativeELBO",
    "Objective",
    "RateParts",
    "Schedule",
    "Terms",
    "TotalCorrelation",
    "build_objective",
    "learning_rate_schedule",
    "take_apart",
]

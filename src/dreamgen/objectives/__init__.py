"""What training minimises, and how its weights change over time."""

from dreamgen.objectives.bounds import OBJECTIVES, NegativeELBO, Objective, Terms, build_objective
from dreamgen.objectives.schedules import SCHEDULES, Schedule, learning_rate_schedule

__all__ = [
    "OBJECTIVES",
    "SCHEDULES",
    "NegativeELBO",
    "Objective",
    "Schedule",
    "Terms",
    "build_objective",
    "learning_rate_schedule",
]

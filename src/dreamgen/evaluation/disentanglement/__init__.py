"""Disentanglement: whether latents go one by one with the factors that made the data, where these are known."""

from dreamgen.evaluation.disentanglement.importances import Importances, importances
from dreamgen.evaluation.disentanglement.information import Information, information
from dreamgen.evaluation.disentanglement.measure import disentanglement
from dreamgen.evaluation.disentanglement.votes import factor_score

__all__ = ["Importances", "Information", "disentanglement", "factor_score", "importances", "information"]

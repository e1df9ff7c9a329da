"""A recipe: settings with a name, a paper and figures."""

from dataclasses import dataclass

from dreamgen.config import Settings

KINGMA = "Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"

_ROLES = (
    "model",
    "encoder",
    "posterior",
    "prior",
    "decoder",
    "likelihood",
    "objective",
    "update",
    "masking",
    "augment",
    "language",
    "blur",
)


@dataclass(frozen=True)
class Recipe:
    """Settings with a name and a source.

    Attributes:
        about: one line.
        settings: everything that the recipe decides.
        paper: title, year, link; empty where there is none.
        measured: figures of it on data that it is for; `docs/results.md` has the commands.
    """

    about: str
    settings: Settings
    paper: str = ""
    measured: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """The kinds of its parts, by role; those of a model that reads and does not dream are two."""
        values = self.settings.to_dict()
        kinds = {role: part["kind"] if isinstance(part := values[role], dict) else str(part) for role in _ROLES}
        if kinds["model"] == "classifier":
            return {role: kinds[role] for role in ("model", "encoder")}
        usual = {"model": "vae", "objective": "elbo", "update": "plain", "masking": "none", "augment": "none"}
        usual |= {"language": "none", "blur": "none"}
        return {role: kind for role, kind in kinds.items() if usual.get(role) != kind}

"""What of a model may leave with its decoder. Everything that is not named here stays.

Facts have dotted names: `weights.decoder.out.bias`, `settings.latent_dim`, `card.evaluation.nll`. Of the card only
numbers leave, rounded as a paper prints them: text can say anything, and all the digits of a mean over private rows
say more about them than its reader needs.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dreamgen import __version__
from dreamgen.config import Part, Settings
from dreamgen.data import Batch
from dreamgen.data.meaning import Meaning
from dreamgen.errors import SettingsError
from dreamgen.evaluation.looking import LOOKED_THROUGH
from dreamgen.io import SavedModel
from dreamgen.models import build_model
from dreamgen.objectives import OBJECTIVES
from dreamgen.training.run import Run
from dreamgen.training.update import UPDATES

MAY_LEAVE = {
    # Weights. A name that ends in a dot stands for all below it.
    "weights.decoder.network.": "turns codes into examples: this is what is handed over",
    "weights.decoder.likelihood.": "how far examples lie from the decoder's mean, where that was learned",
    "weights.decoder.blurred.": "the same for blurred codes",
    "weights.prior.loc.": "where the codes of dreams lie for what the decoder is told",
    "weights.prior.log_variance.": "and how far they spread",
    # Settings. Parts are named from the library's own list and take numbers, so they carry no free text.
    "settings.latent_dim": "how many numbers a code has",
    "settings.hidden_dim": "the widths of the decoder's layers",
    "settings.prior": "where codes of dreams are drawn from",
    "settings.decoder": "which network turns codes into examples",
    "settings.likelihood": "what the decoder's numbers mean",
    "settings.objective": "what the decoder was trained for",
    "settings.beta": "how the rate was weighed: says how far from the prior codes may lie",
    "settings.free_bits": "which latents may be idle",
    "settings.binarise": "whether the decoder's means are chances of 0 or 1",
    "settings.model": "which shape of model it is",
    "settings.context": "what the decoder is told",
    "settings.blur": "how blurred the codes of dreams are, which the decoder is told",
    "settings.augment": "how the decoder was trained",
    "settings.masking": "how the decoder was trained",
    "settings.validation": "how the decoder was trained: a share, not which rows",
    "settings.start": "how the decoder was trained",
    "settings.update": "how the decoder was trained",
    "settings.optimizer": "how the decoder was trained",
    "settings.learning_rate": "how the decoder was trained",
    "settings.batch_size": "how the decoder was trained; epochs stay, since both together tell the number of rows",
    "settings.patience": "how the decoder was trained",
    "settings.average": "how the decoder was trained",
    "settings.gradients": "how the decoder was trained",
    "settings.precision": "how the decoder was trained",
    "settings.save_every": "how the decoder was trained",
    # The shape of what comes out
    "event_shape": "the shape of an example",
    "context": "what the decoder is told: names of classes and attributes, mean and spread of numbers",
    "unit_range": "whether examples are kept within [0, 1], as pictures are",
    "origin.versions.dreamgen": "which library reads it: the version that exports, not the one that trained",
    # Figures
    "card.active_units": "how many latents the decoder listens to",
    "card.rate_per_unit": "which latents carry most, so that maps and sliders begin with them",
    "card.looked_through": "SHA-256 of the network that it was trained to please, which then may not judge it",
    "card.test_loss": "how good the model is",
    "card.privacy.epsilon": "how private the training was",
    "card.privacy.delta": "how private the training was",
    "card.evaluation.nll": "how good the model is",
    "card.evaluation.bits_per_dim": "how good the model is",
}
"""Each fact that may leave, and why."""


@dataclass(frozen=True)
class Handover:
    """A model without its encoder and its past.

    Attributes:
        saved: on the CPU; holds what left and nothing else.
        left: names of the facts that left.
        stayed: names of the facts that did not.
    """

    saved: SavedModel
    left: list[str]
    stayed: list[str]


def hand_over(saved: SavedModel, from_prior: bool = False) -> Handover:
    """The part of a model that may leave.

    Args:
        saved: the model.
        from_prior: hand over a model whose dreams are drawn from its codes, or compared with them, as one that dreams
            from its prior.

    Raises:
        SettingsError: its prior or decoder has weights that are not on the list, a setting is not valid, or its
            dreams need codes of training rows, which stay.
    """
    if not from_prior:
        _require_prior(saved.settings)
    facts = _facts(saved)
    leaving = {name: value for name, value in facts.items() if _may_leave(name, value)}
    settings = saved.settings.replace(
        **{"epochs": "auto"}
        | _below("settings.", leaving)
        | {
            "encoder": "absent",
            "posterior": "absent",
            "mixture": 0,
            "picked": 1,
            "search": 1,
            "objective": _objective(saved.settings.objective),
            "update": _update(saved.settings.update),
        }
    )
    context = saved.context
    meaning = Meaning(tuple(map(int, saved.event_shape)), context)
    model = build_model(settings, meaning, seed=0)
    weights = _below("weights.", leaving)
    for name in model.state_dict():
        if name not in weights:
            raise SettingsError(f"{name} is not on the list of what may leave: this model's decoder stays with it")
    model.load_state_dict(weights)
    # Builds the parts that only training uses: what is no name or argument of theirs is refused.
    told = torch.zeros(1, context.width) if context else None
    plain = settings.replace(objective="elbo") if _looks(settings.objective) else settings
    Run(model, plain, Batch(torch.zeros(1, *saved.event_shape), context=told), None, seed=0)
    handed = SavedModel(
        model=model.eval(),
        settings=settings,
        meaning=meaning,
        unit_range=bool(saved.unit_range),
        origin={"versions": {"dreamgen": __version__}},
        card=_nested({name: _rounded(value) for name, value in _below("card.", leaving).items()}),
    )
    return Handover(handed, *divide(saved, set(leaving)))


def _require_prior(settings: Settings) -> None:
    """Raise SettingsError where dreams need more than the prior and the decoder."""
    ways = []
    if settings.mixture:
        ways.append(f"dreams from {settings.mixture} Gaussians fitted to codes of training rows")
    if settings.picked > 1:
        ways.append(f"picks one of {settings.picked} dreams by codes of training rows")
    if ways:
        raise SettingsError(
            f"this model {' and '.join(ways)}, which stay: it cannot leave as it is; --from-prior hands it over to "
            "dream from its prior"
        )


def _looks(objective: Part) -> bool:
    """Whether an objective looks through a network, which it then names by a path."""
    return "features" in inspect.signature(OBJECTIVES[OBJECTIVES.normalise(objective)["kind"]]).parameters


def _objective(objective: Part) -> Part:
    """An objective as it leaves: of one that looks through a network, its kind alone."""
    return str(OBJECTIVES.normalise(objective)["kind"]) if _looks(objective) else objective


def _update(update: Part) -> Part:
    """An update as it leaves: a critic that came in late could not train a model without an encoder."""
    late = isinstance(update, dict) and "start" in inspect.signature(UPDATES[update["kind"]]).parameters
    return {k: v for k, v in update.items() if k != "start"} if isinstance(update, dict) and late else update


def divide(saved: SavedModel, leaving: set[str]) -> tuple[list[str], list[str]]:
    """The names of a model's facts, those that leave and those that stay."""
    return sorted(leaving), sorted(_facts(saved).keys() - leaving)


def _facts(saved: SavedModel) -> dict[str, Any]:
    """Everything that a model holds, by dotted name."""
    return {
        **dict(_flatten(saved.model.state_dict(), "weights.")),
        # A part is one fact, with its arguments.
        **{f"settings.{name}": value for name, value in saved.settings.to_dict().items()},
        "event_shape": saved.event_shape,
        "unit_range": saved.unit_range,
        **({"context": saved.context.to_dict()} if saved.context else {}),
        **dict(_flatten(saved.origin, "origin.")),
        **dict(_flatten(saved.card, "card.")),
        **({"history": saved.history} if saved.history else {}),
        **dict(_flatten(saved.codes, "codes.")),
    }


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _may_leave(name: str, value: Any) -> bool:
    listed = name in MAY_LEAVE or any(entry.endswith(".") and name.startswith(entry) for entry in MAY_LEAVE)
    if name == f"card.{LOOKED_THROUGH}":
        return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None
    return listed and (not name.startswith("card.") or _is_figure(value))


def _is_figure(value: Any) -> bool:
    return all(type(number) in (int, float) for number in (value if isinstance(value, list) else [value]))


def _rounded(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return [round(number, 3) for number in value] if isinstance(value, list) else round(value, 3)


def _below(prefix: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in facts.items() if name.startswith(prefix)}


def _nested(facts: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in facts.items():
        *parents, last = name.split(".")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return values

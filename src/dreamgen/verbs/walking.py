"""Walks through latent space, decoded: from one example to another, over a plane, along each latent."""

from collections.abc import Sequence

import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen import walks
from dreamgen.errors import SettingsError
from dreamgen.forms import Shown
from dreamgen.inputs import latents_of
from dreamgen.verbs.fitted import Fitted, Given

_MORPH_FRAMES = 16  # dense frames for each step shown, to measure how far the picture goes


class Walking(Fitted):
    """Morphs, maps and traversals."""

    def morph(
        self,
        a: npt.ArrayLike,
        b: npt.ArrayLike,
        steps: int = 11,
        *,
        path: str = "linear",
        given: Given | None = None,
    ) -> Shown:
        """Pictures on the way from a to b, (steps, *event).

        The path is straight (`linear`) or an arc (`spherical`) between the posterior means. The steps are spaced so
        that each changes the picture by as much as the others do, which spreads a sudden change over several of them;
        those between lines of text lie evenly.

        Args:
            a, b: one example each, (*event).
            steps: pictures, the two ends among them.
            path: "linear" or "spherical".
            given: what a conditional model is told, by field: one value, or that of a and that of b; between them
                what it is told goes from the one to the other.
        """
        if steps < 2:
            raise SettingsError(f"steps: expected 2 or more, got {steps}")
        told = self._told(given, 2)
        start, stop = (
            self._code(x, name, None if told is None else told[end : end + 1])
            for end, (x, name) in enumerate(((a, "a"), (b, "b")))
        )

        def shown(times: Tensor) -> Shown:
            between = None if told is None else walks.path_between(told[0], told[1], times)
            return self._shown(walks.path_between(start, stop, times, path), context=between)

        if self.fitted().form.evenly:
            return shown(torch.linspace(0, 1, steps))
        film = torch.from_numpy(shown(torch.linspace(0, 1, steps * _MORPH_FRAMES)))
        return shown(walks.even_spacing(film, steps))

    def map(
        self,
        size: int = 20,
        *,
        by: str = "value",
        span: float = 3.0,
        plane: Sequence[int] | None = None,
        given: Given | None = None,
    ) -> Shown:
        """A plane of the latent space, decoded: (size, size, *event), top row first.

        Args:
            size: cells along each side.
            by: "value": evenly from -span to span; "quantile": where the prior's mass is.
            span: how far the plane reaches from the origin, in standard deviations of the prior.
            plane: the two latents, across and up; None: the two that carry most (`main_plane`).
            given: what a conditional model is told, by field: one value, or one for each cell in reading order.
        """
        if size < 2:
            raise SettingsError(f"size: expected 2 or more, got {size}")
        plane = latents_of(self.main_plane if plane is None else plane, self._latent_dim)
        if not 1 <= len(plane) <= 2 or len(set(plane)) < len(plane):
            raise SettingsError(f"plane: expected two different latents, got {plane}")
        base = torch.zeros(self._latent_dim)
        pictures = self._shown(walks.plane_grid(base, plane, size, by, span), context=self._told(given, size * size))
        return pictures.reshape(size, size, *self.fitted().form.each)

    def traverse(
        self,
        x: npt.ArrayLike | None = None,
        *,
        latents: Sequence[int] | None = None,
        steps: int = 11,
        span: float = 3.0,
        given: Given | None = None,
    ) -> Shown:
        """One latent at a time from -span to span: (latents, steps, *event), the latent that carries most first.

        Args:
            x: the example to start from; None: the prior's mean.
            latents: which; None: all, in `latent_order`.
            steps: pictures for each latent.
            span: in standard deviations of the prior.
            given: what a conditional model is told, by field: one value.
        """
        if steps < 2:
            raise SettingsError(f"steps: expected 2 or more, got {steps}")
        told = self._told(given, 1)
        base = torch.zeros(self._latent_dim) if x is None else self._code(x, "x", told)
        order = latents_of(self.latent_order if latents is None else latents, self._latent_dim)
        z = walks.one_at_a_time(base, order, steps, span).flatten(0, 1)
        pictures = self._shown(z, context=None if told is None else told.expand(len(z), -1))
        return pictures.reshape(len(order), steps, *self.fitted().form.each)

    @property
    def latent_order(self) -> list[int]:
        """The latents, the one with the largest rate on the training data first."""
        rates = self.fitted().rates
        return sorted(range(len(rates)), key=lambda unit: -rates[unit])

    @property
    def main_plane(self) -> list[int]:
        """The two latents with the largest rate, in the order of their numbers."""
        return sorted(self.latent_order[:2])

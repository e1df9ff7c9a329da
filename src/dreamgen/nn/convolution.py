"""Convolutions that halve a picture again and again, and transposed ones that double it.

The defaults are the mission's network for faces, which also serves any other pictures. All kernels are 4 x 4 with a
stride of 2: each place of the doubled picture is reached by as many taps as every other, so no checkerboard is built
in (Deconvolution and Checkerboard Artifacts, 2016, https://distill.pub/2016/deconv-checkerboard). Widths are
arguments of the parts; the setting `hidden_dim` is for networks without convolutions.

Letters: B rows, K samples, D latent units, C context numbers, F features.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.nn.mlp import DECODERS, ENCODERS, activation_of, beside, trunk
from dreamgen.nn.pictures import Elements, Picture, channels_last, check_widths, cropped, evened, flat, unflat

_MISSION_ENCODER = (64, 128, 256, 512)
_MISSION_DECODER = (256, 256, 128, 64)


@ENCODERS.register("conv")
class ConvEncoder(nn.Module):
    """A picture, halved by a convolution for each of `channels`, to features.

    Of 64 x 64 x 3 the defaults make 4 x 4 x 512. The context is added to the outputs of the first convolution, the
    same at each place.

    Args:
        event_shape: (H, W) or (H, W, channels), of any size.
        context_dim: C, 0 for none.
        channels: of each convolution's output.
        dense: widths of fully connected layers behind them.
        activation: one of ACTIVATIONS, after every layer.
        mask: whether the network is told which elements were observed, which it needs where some are not.

    Raises:
        SettingsError: examples that are no pictures, or an argument out of range.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        context_dim: int,
        channels: tuple[int, ...] = _MISSION_ENCODER,
        dense: tuple[int, ...] = (),
        activation: str = "relu",
        mask: bool = False,
    ) -> None:
        super().__init__()
        check_widths("encoder 'conv', channels", channels)
        self.picture, self.sees_mask = Picture.of(event_shape, "encoder 'conv'"), mask
        self.activation = activation_of(activation)
        widths = [self.picture.channels * (2 if mask else 1), *channels]
        self.halvings = nn.ModuleList(
            nn.Conv2d(inward, outward, 4, stride=2, padding=1)
            for inward, outward in zip(widths[:-1], channels, strict=True)
        )
        self.told = nn.Linear(context_dim, channels[0], bias=False) if context_dim else None
        height, width = self.picture.sizes(len(channels))[-1]
        self.layers = trunk(height * width * channels[-1], dense, activation)
        self.features = dense[-1] if dense else height * width * channels[-1]
        channels_last(self)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B pictures to features, (B, F)."""
        h = self.picture.planes(batch, self.sees_mask)
        for number, halve in enumerate(self.halvings):
            h = halve(evened(h))
            if number == 0 and self.told is not None:
                h = h + self.told(batch.context)[:, :, None, None]
            h = self.activation(h)
        features: Tensor = self.layers(flat(h))
        return features


@DECODERS.register("conv")
class ConvDecoder(nn.Module):
    """z, with the context beside it, through dense layers to a small picture, doubled by transposed convolutions.

    With the defaults 512 numbers, 4 x 4 x 256, and transposed convolutions to 256, 128 and 64 channels and to what
    the likelihood asks for: 64 x 64 x 3 for a face.

    Args:
        latent_dim: D.
        context_dim: C, 0 for none.
        event_shape: (H, W) or (H, W, channels), of any size.
        parameters_shape: what the likelihood asks for.
        channels: of the smallest picture and of each doubled one but the last.
        dense: widths of the fully connected layers in front.
        activation: one of ACTIVATIONS, after every layer but the last.

    Raises:
        SettingsError: examples that are no pictures, or an argument out of range.
    """

    def __init__(
        self,
        latent_dim: int,
        context_dim: int,
        event_shape: Sequence[int],
        parameters_shape: Sequence[int],
        channels: tuple[int, ...] = _MISSION_DECODER,
        dense: tuple[int, ...] = (512,),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_widths("decoder 'conv', channels", channels)
        picture = Picture.of(event_shape, "decoder 'conv'")
        self.sizes = picture.sizes(len(channels))[::-1]
        self.activation = activation_of(activation)
        height, width = self.sizes[0]
        self.channels = channels[0]
        self.layers = trunk(latent_dim + context_dim, [*dense, height * width * channels[0]], activation)
        self.elements = Elements(picture, parameters_shape)
        widths = [*channels, self.elements.planes]
        self.doublings = nn.ModuleList(
            # The last one's bias is the elements' own.
            nn.ConvTranspose2d(inward, outward, 4, stride=2, padding=1, bias=number < len(channels))
            for number, (inward, outward) in enumerate(zip(channels, widths[1:], strict=True), start=1)
        )
        channels_last(self)

    @property
    def output_bias(self) -> nn.Parameter:
        """The bias of each element of the output."""
        return self.elements.bias

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """z (K, B, D) and context (B, C) to (K, B, *parameters_shape)."""
        h = unflat(self.layers(beside(z, context).flatten(0, -2)), self.channels, self.sizes[0])
        for number, (double, size) in enumerate(zip(self.doublings, self.sizes[1:], strict=True)):
            h = cropped(double(self.activation(h) if number else h), size)
        parameters: Tensor = self.elements(h, z.shape[:-1])
        return parameters

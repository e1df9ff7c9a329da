"""No encoder, in the place where one would be: what a decoder is handed over with."""

from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.nn.mlp import ENCODERS


@ENCODERS.register("absent")
class AbsentEncoder(nn.Module):
    """An encoder that has no weights and reads nothing; its posterior is "absent" too.

    Raises:
        SettingsError: at every call.
    """

    features = 1

    def forward(self, batch: Batch) -> Tensor:
        raise SettingsError("this model has no encoder: it can dream and decode, and read no examples")

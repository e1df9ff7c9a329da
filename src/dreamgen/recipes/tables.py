"""Tables of mixed columns."""

from dreamgen.config import Settings
from dreamgen.recipes.recipe import Recipe

# Rows of a table are few beside pictures and their columns many kinds of things: wide layers, many small steps, and
# weights averaged over them.
_TABLE = Settings(
    encoder="columns",
    likelihood="columns",
    latent_dim=16,
    hidden_dim=[256, 256],
    masking="random",
    start="mean",
    validation=0.1,
    batch_size=256,
    learning_rate=2e-3,
    average=0.99,
)

TABLES = {
    "table": Recipe(
        "a table of mixed columns with gaps: a likelihood for each column, and any part explains any other",
        _TABLE,
        "Handling Incomplete Heterogeneous Data using VAEs, 2018, https://arxiv.org/abs/1807.03653",
        "Adult: trained on rows of `Synthesizer` (its settings differ), tested on real ones, AUC .907 (real .927)",
    ),
}

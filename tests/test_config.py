"""Settings, recipe files, overrides and parts by name: what is accepted, and what a refusal says."""

import dataclasses
import inspect
import math
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamgen import DreamGenerator
from dreamgen.config import Settings, apply_overrides, read_toml
from dreamgen.data.columns import ColumnShape
from dreamgen.data.meaning import Meaning
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import LIKELIHOODS, POSTERIORS, PRIORS
from dreamgen.errors import SettingsError
from dreamgen.models import build_model
from dreamgen.nn import DECODERS, ENCODERS
from dreamgen.objectives.schedules import SCHEDULES
from dreamgen.recipes import RECIPES, find_settings
from dreamgen.registry import Registry, nearest
from told import context_of, read_of

# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_dim", 2.0),
        ("latent_dim", "2"),
        ("latent_dim", None),
        ("latent_dim", [2]),
        ("latent_dim", True),
        ("latent_dim", math.inf),
        ("hidden_dim", 400.0),
        ("hidden_dim", True),
        ("hidden_dim", [400, 20.0]),
        ("hidden_dim", [400, True]),
        ("hidden_dim", "400"),
        ("hidden_dim", {"kind": "mlp"}),
        ("encoder", None),
        ("encoder", ["mlp"]),
        ("encoder", True),
        ("beta", False),
        ("free_bits", "0.5"),
        ("free_bits", True),
        ("binarise", "sometimes"),
        ("binarise", True),
        ("binarise", ["none"]),
        ("validation", "5%"),
        ("batch_size", 2.5),
        ("batch_size", True),
        ("epochs", 2.5),
        ("epochs", "many"),
        ("epochs", True),
        ("patience", 0.5),
        ("average", None),
        ("precision", "float64"),
        ("precision", 32),
        ("save_every", False),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_name_and_itself(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of({name: value})
    text = str(caught.value)
    assert text.startswith(f"{name}: expected ")
    assert text.endswith(f", got {value!r}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_dim", 0),
        ("latent_dim", -1),
        ("batch_size", 0),
        ("epochs", 0),
        ("epochs", -5),
        ("hidden_dim", 0),
        ("hidden_dim", [400, 0]),
        ("hidden_dim", [-1]),
        ("validation", -0.01),
        ("validation", 1.0),
        ("validation", math.nan),
        ("average", -0.1),
        ("average", 1.0),
        ("average", math.nan),
        ("free_bits", -0.1),
        ("free_bits", math.nan),
        ("patience", -1),
        ("save_every", -1),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name_and_itself(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of({name: value})
    assert str(caught.value).startswith(f"{name}: expected ")
    assert str(caught.value).endswith(f", got {value!r}")


@pytest.mark.parametrize(
    "values",
    [
        {"latent_dim": 1, "batch_size": 1, "epochs": 1, "hidden_dim": 1},
        {"hidden_dim": []},
        {"hidden_dim": [1, 2, 3]},
        {"validation": 0, "average": 0, "free_bits": 0},
        {"validation": 0.999, "average": 0.9999, "free_bits": 100},
        {"beta": 4, "learning_rate": 1},
        {"beta": {"kind": "linear", "steps": 10}},
        {"epochs": "auto", "precision": "auto"},
    ],
)
def test_values_at_the_edge_of_their_range_are_accepted(values: dict[str, Any]) -> None:
    made = Settings.of(values)
    assert {name: getattr(made, name) for name in values} == values


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("latent_dims", "latent_dim"),
        ("laten_dim", "latent_dim"),
        ("binarize", "binarise"),
        ("batchsize", "batch_size"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, close: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of({name: 3})
    assert f"unknown setting {name!r}: did you mean {close!r}?" in str(caught.value)
    for valid in Settings.names():
        assert valid in str(caught.value)


def test_a_name_near_to_nothing_gets_the_list_alone() -> None:
    with pytest.raises(SettingsError, match=r"unknown setting 'zzz': valid: augment, average, "):
        Settings.of({"zzz": 3})


def test_a_tuple_of_widths_is_a_list() -> None:
    made = Settings(hidden_dim=(512, 256))  # type: ignore[arg-type]
    assert made.hidden_dim == [512, 256]
    assert made.hidden == [512, 256]
    assert Settings(hidden_dim=7).hidden == [7]


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().latent_dim = 3  # type: ignore[misc]


def test_replace_makes_a_validated_copy_and_leaves_the_original() -> None:
    made = Settings(latent_dim=3, beta={"kind": "linear", "steps": 10})
    changed = made.replace(latent_dim=4)
    assert (made.latent_dim, changed.latent_dim) == (3, 4)
    assert changed.beta == made.beta
    with pytest.raises(SettingsError, match="latent_dim"):
        made.replace(latent_dim=0)
    with pytest.raises(SettingsError, match="did you mean 'beta'"):
        made.replace(betta=0)


def test_the_plain_values_are_a_copy() -> None:
    made = Settings(beta={"kind": "linear", "steps": 10})
    made.to_dict()["beta"]["steps"] = 99
    assert made.beta == {"kind": "linear", "steps": 10}


def test_every_parameter_of_dream_generator_is_a_setting_with_the_same_default() -> None:
    parameters = inspect.signature(DreamGenerator.__init__).parameters
    defaults = {name: p.default for name, p in parameters.items() if name not in ("self", "device", "random_state")}
    assert defaults == Settings().to_dict()
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    assert {"device", "random_state"} <= parameters.keys()


# Automatic epochs


@given(rows=st.integers(1, 10_000_000), batch_size=st.integers(1, 10_000))
@settings(deadline=None)
def test_automatic_epochs_make_2200_steps_between_ten_and_five_hundred_epochs(rows: int, batch_size: int) -> None:
    epochs = Settings(batch_size=batch_size).resolve(rows).epochs
    steps_per_epoch = math.ceil(rows / batch_size)
    assert isinstance(epochs, int)
    if epochs == 10:
        assert 10.5 * steps_per_epoch >= 2200
    elif epochs == 500:
        assert 499.5 * steps_per_epoch <= 2200
    else:
        assert 10 < epochs < 500
        assert abs(epochs * steps_per_epoch - 2200) <= steps_per_epoch / 2


@pytest.mark.parametrize(("rows", "epochs"), [(60_000, 10), (1797, 275), (57_000, 10), (5_632, 100), (1, 500)])
def test_automatic_epochs_at_known_sizes(rows: int, epochs: int) -> None:
    # 256 rows a batch: 1,797 rows are 8 batches, and 2,200 / 8 = 275.
    assert Settings().resolve(rows).epochs == epochs


def test_a_number_of_epochs_is_left_as_it_is() -> None:
    made = Settings(epochs=3)
    assert made.resolve(1_000_000) == made
    resolved = Settings(latent_dim=5).resolve(1000)
    assert resolved == Settings(latent_dim=5, epochs=resolved.epochs)


# Recipe files


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_survives_its_toml_file(name: str, tmp_path: Path) -> None:
    made = RECIPES[name].settings
    path = tmp_path / "recipe.toml"
    path.write_text(made.to_toml(), encoding="utf-8")
    assert read_toml(path) == made
    assert find_settings(str(path)) == made
    assert tomllib.loads(made.to_toml()) == made.to_dict()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_names_parts_that_exist(name: str) -> None:
    recipe = RECIPES[name]
    columns = (ColumnShape(levels=3), ColumnShape()) if recipe.settings.likelihood == "columns" else ()
    shape = (len(columns),) if columns else (16, 16)
    lines = recipe.settings.language != "none"
    vocabulary = Vocabulary("characters", tuple("abcd")) if lines else None
    told, read = context_of(recipe.settings), read_of(recipe.settings)
    model = build_model(recipe.settings, Meaning((9,) if lines else shape, told, read, columns, vocabulary), 0)
    assert sum(p.numel() for p in model.parameters()) > 0
    assert recipe.about
    assert not recipe.paper or "https://" in recipe.paper


def test_a_part_with_an_empty_argument_can_be_written_as_toml() -> None:
    # None is how the Python side says "the whole run"; TOML has no word for it.
    made = Settings(beta={"kind": "linear", "steps": None})
    assert SCHEDULES.build(Settings.of(tomllib.loads(made.to_toml())).beta)(50, 100) == 0.5


def test_a_recipe_file_names_only_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('latent_dim = 2\nhidden_dim = [3, 4]\n[encoder]\nkind = "mlp"\nactivation = "tanh"\n')
    expected = Settings(latent_dim=2, hidden_dim=[3, 4], encoder={"kind": "mlp", "activation": "tanh"})
    assert read_toml(path) == expected


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"\xff\xfe", "not a readable TOML recipe"),
        (b"latent_dim = ", "not a readable TOML recipe"),
        (b"latent_dim 3", "not a readable TOML recipe"),
        (b"latent_dim = 3\nlatent_dim = 4", "not a readable TOML recipe"),
        (b"\0", "not a readable TOML recipe"),
        (b"hidden_dim = " + b"[" * 5000, "not a readable TOML recipe"),
        (b"latent_dim = " + b"9" * 5000, "not a readable TOML recipe"),
        (b"latent_dim = 0", "latent_dim: expected 1 or more, got 0"),
        (b"latent_dim = 'two'", "latent_dim: expected int, got 'two'"),
        (b"latent_dim = 2020-01-01", "latent_dim: expected int, got datetime.date"),
        (b"[latent_dim]\nx = 1", "latent_dim: expected int, got {'x': 1}"),
        (b"[[hidden_dim]]\nx = 1", "hidden_dim: expected int | list[int], got [{'x': 1}]"),
        (b"latent = 3", "did you mean 'latent_dim'?"),
        (b"[network]\nlatent_dim = 3", "unknown setting 'network'"),
    ],
    ids=lambda value: value[:20].decode("latin1") if isinstance(value, bytes) else None,
)
def test_a_recipe_file_that_is_not_right_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_toml(path)
    assert part in str(caught.value)
    if "TOML" in part:
        assert str(caught.value).startswith(f"{path}: ")


def test_a_recipe_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: .*No such file"):
        read_toml(tmp_path / "nowhere.toml")
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"folder\.toml: .*directory"):
        find_settings(str(folder))


def test_a_recipe_file_that_never_ends_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "device.toml"):
        with pytest.raises(SettingsError, match=r"\.toml: .*a pipe or a device"):
            read_toml(tmp_path / name)
    (tmp_path / "long.toml").write_text("#" * (1 << 21))
    with pytest.raises(SettingsError, match=r"long\.toml: expected a TOML recipe, got more than"):
        read_toml(tmp_path / "long.toml")


@pytest.mark.parametrize("name", ["beta", "learning_rate", "free_bits", "validation", "average"])
def test_a_whole_number_that_no_float_can_hold_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        apply_overrides(Settings(), [f"{name}={10**400}"])


def test_a_recipe_is_found_by_name_or_by_its_data() -> None:
    assert find_settings("beta") is RECIPES["beta"].settings
    assert find_settings(None, "mnist") is RECIPES["mnist"].settings
    assert find_settings(None, "faces.npz") == find_settings(None) == Settings()
    with pytest.raises(SettingsError, match=r"unknown recipe 'bta': did you mean 'beta'\?.*iwae.*or a \.toml file"):
        find_settings("bta")


# Overrides

BASE = Settings(encoder={"kind": "mlp", "activation": "tanh"})


@pytest.mark.parametrize(
    ("assignments", "changed"),
    [
        ([], {}),
        (["latent_dim=3"], {"latent_dim": 3}),
        (["free_bits=0.5", "patience = 4"], {"free_bits": 0.5, "patience": 4}),
        (["free_bits=2e-3"], {"free_bits": 0.002}),
        (["latent_dim=0x10"], {"latent_dim": 16}),
        (["batch_size=1_000"], {"batch_size": 1000}),
        (["hidden_dim=[512, 256]"], {"hidden_dim": [512, 256]}),
        (["hidden_dim=[]"], {"hidden_dim": []}),
        (["binarise=dynamic"], {"binarise": "dynamic"}),
        (["binarise='dynamic'"], {"binarise": "dynamic"}),
        (['binarise="dynamic"'], {"binarise": "dynamic"}),
        (["epochs=auto"], {"epochs": "auto"}),
        (["epochs=7"], {"epochs": 7}),
        (["epochs=7", "epochs=8"], {"epochs": 8}),
        (["beta=4"], {"beta": 4}),
        (["beta={kind='linear', steps=10}"], {"beta": {"kind": "linear", "steps": 10}}),
        (["beta=linear", "beta.steps=10"], {"beta": {"kind": "linear", "steps": 10}}),
        (["decoder.activation=gelu"], {"decoder": {"kind": "mlp", "activation": "gelu"}}),
        (["encoder.activation=gelu"], {"encoder": {"kind": "mlp", "activation": "gelu"}}),
        (["encoder.hidden=[3]"], {"encoder": {"kind": "mlp", "activation": "tanh", "hidden": [3]}}),
        (["encoder=mlp"], {"encoder": "mlp"}),
        (["objective={kind='iwae'}", "objective.samples=7"], {"objective": {"kind": "iwae", "samples": 7}}),
        (["likelihood=gaussian", "likelihood.learned=true"], {"likelihood": {"kind": "gaussian", "learned": True}}),
    ],
)
def test_overrides_change_what_they_name_and_nothing_else(assignments: list[str], changed: dict[str, Any]) -> None:
    assert apply_overrides(BASE, assignments).to_dict() == {**BASE.to_dict(), **changed}
    assert BASE.encoder == {"kind": "mlp", "activation": "tanh"}


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("latent_dim", "-o latent_dim: expected name=value"),
        ("", "expected name=value"),
        ("latent_dims=3", "did you mean 'latent_dim'?"),
        ("encodr.activation=tanh", "did you mean 'encoder'?"),
        ("=3", "unknown setting ''"),
        ("latent_dim=", "latent_dim: expected int, got ''"),
        ("latent_dim=three", "latent_dim: expected int, got 'three'"),
        ("latent_dim=3.0", "latent_dim: expected int, got 3.0"),
        ("latent_dim=true", "latent_dim: expected int, got True"),
        ("latent_dim=0", "latent_dim: expected 1 or more, got 0"),
        ("hidden_dim=[3, x]", "hidden_dim: expected int | list[int], got '[3, x]'"),
        ("binarise=always", "binarise: expected one of 'none', 'dynamic', got 'always'"),
        ("epochs=soon", "epochs: expected "),
        ("free_bits=nan", "free_bits: expected float, got nan"),
        ("encoder.=tanh", "encoder"),
        ("latent_dim=3\nbatch_size=7", "latent_dim"),
        pytest.param("latent_dim=" + "9" * 5000, "latent_dim", id="five thousand digits"),
        pytest.param("hidden_dim=" + "[" * 5000, "hidden_dim", id="five thousand brackets"),
    ],
)
def test_an_override_that_is_not_right_is_refused(assignment: str, part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        apply_overrides(Settings(), [assignment])
    assert part in str(caught.value)


NAMES = st.sampled_from(Settings.names())
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.lists(st.integers(-2, 9)).map(str),
    st.sampled_from(["auto", "true", "{kind='mlp'}", "{}", "[[1]]", "'", '"""', "{a=", "1979-05-27", "1\n2", "0x1"]),
)
ASSIGNMENTS = st.one_of(
    st.text(max_size=30),
    st.builds("{}={}".format, NAMES, VALUES),
    st.builds("{}.{}={}".format, NAMES, st.text(max_size=8), VALUES),
    st.builds("{}={}".format, st.text(max_size=12), VALUES),
)


@given(st.lists(ASSIGNMENTS, max_size=4))
@settings(deadline=None, max_examples=400)
def test_any_text_gives_settings_or_is_refused(assignments: list[str]) -> None:
    try:
        made = apply_overrides(Settings(), assignments)
    except SettingsError:
        return
    assert repr(Settings.of(made.to_dict())) == repr(made)  # by text, since NaN is not equal to itself


@given(
    st.dictionaries(
        st.one_of(NAMES, st.text(max_size=5)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=200)
def test_any_values_give_settings_or_are_refused(values: dict[str, Any]) -> None:
    try:
        made = Settings.of(values)
    except SettingsError:
        return
    assert values.keys() <= set(made.names())
    assert repr(Settings.of(made.to_dict())) == repr(made)


@pytest.mark.parametrize("assignment", ["beta.steps=10", "beta.kind=5", "beta.x=2020-01-01", "latent_dim.x=3"])
def test_a_number_takes_no_arguments(assignment: str) -> None:
    with pytest.raises(SettingsError, match=r"which takes no arguments"):
        apply_overrides(Settings(), [assignment])


@pytest.mark.parametrize("assignment", ["beta={}", "beta="])
def test_a_part_that_is_no_part_is_refused_when_it_is_built(assignment: str) -> None:
    with pytest.raises(SettingsError, match="schedule"):
        SCHEDULES.build(apply_overrides(Settings(), [assignment]).beta)


# Parts by name


class Part:
    """A part of a role that only these tests have."""

    def __init__(self, given: int, hidden: list[int], size: int, ratio: float = 0.5, mode: Literal["a", "b"] = "a"):
        self.values = (given, hidden, size, ratio, mode)


def plain(size: int | None = None) -> Part:
    """A part that is a function, and asks for nothing from its surroundings."""
    return Part(0, [], -1 if size is None else size)


@pytest.fixture
def parts() -> Registry[Part]:
    registry: Registry[Part] = Registry("widget", number=("part", "size"))
    registry.register("part")(Part)
    registry.register("plain")(plain)
    return registry


def test_a_part_is_built_from_its_table_and_its_surroundings(parts: Registry[Part]) -> None:
    made = parts.build({"kind": "part", "size": 3, "mode": "b"}, given=7, hidden=[1], unasked="ignored")
    assert made.values == (7, [1], 3, 0.5, "b")
    assert parts.build({"kind": "part", "size": 3, "ratio": 2}, given=7, hidden=[]).values == (7, [], 3, 2, "a")
    assert parts.build("plain", given=7).values == (0, [], -1, 0.5, "a")
    assert parts.build({"kind": "plain", "size": None}).values[2] == -1
    assert list(parts) == ["part", "plain"]


def test_a_part_may_replace_the_widths_but_not_the_sizes_of_its_surroundings(parts: Registry[Part]) -> None:
    made = parts.build({"kind": "part", "size": 3, "hidden": [9, 9]}, given=7, hidden=[1])
    assert made.values == (7, [9, 9], 3, 0.5, "a")
    with pytest.raises(
        SettingsError, match=r"widget 'part' has no argument 'given': .*valid: hidden, mode, ratio, size"
    ):
        parts.build({"kind": "part", "size": 3, "given": 8}, given=7, hidden=[1])


def test_building_leaves_the_table_as_it_was(parts: Registry[Part]) -> None:
    spec = {"kind": "part", "size": 3}
    parts.build(spec, given=1, hidden=[])
    assert spec == {"kind": "part", "size": 3}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("prt", "unknown widget 'prt': did you mean 'part'? valid: part, plain"),
        ({"kind": "zzz"}, "unknown widget 'zzz': valid: part, plain"),
        ("", "unknown widget '': valid: part, plain"),
        ({"kind": "plain", "sise": 3}, "widget 'plain' has no argument 'sise': did you mean 'size'? valid: size"),
        ({"kind": "plain", "size": 3.5}, "widget 'plain', size: expected int | None, got 3.5"),
        ({"kind": "plain", "size": True}, "widget 'plain', size: expected int | None, got True"),
        ({"kind": "part", "size": "3"}, "widget 'part', size: expected int, got '3'"),
        ({"kind": "part", "size": 3, "ratio": "x"}, "widget 'part', ratio: expected float, got 'x'"),
        ({"kind": "part", "size": 3, "ratio": False}, "widget 'part', ratio: expected float, got False"),
        ({"kind": "part", "size": 3, "mode": "c"}, "widget 'part', mode: expected one of 'a', 'b', got 'c'"),
        ({"kind": "part", "size": 3, "hidden": [1, "x"]}, "widget 'part', hidden: expected list[int], got [1, 'x']"),
        ({"kind": "part", "size": 3, "hidden": 5}, "widget 'part', hidden: expected list[int], got 5"),
        ({"size": 3}, "widget: expected a name or a table with 'kind', got {'size': 3}"),
        ({"kind": 3}, "widget: expected a name or a table with 'kind', got {'kind': 3}"),
        ({}, "widget: expected a name or a table with 'kind', got {}"),
        (True, "widget: expected a name or a table with 'kind', got True"),
        (None, "widget: expected a name or a table with 'kind', got None"),
        (["part"], "widget: expected a name or a table with 'kind', got ['part']"),
    ],
)
def test_a_part_that_is_not_right_is_refused(parts: Registry[Part], spec: Any, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parts.build(spec, given=1, hidden=[])
    assert str(caught.value) == text


def test_a_part_without_an_argument_that_it_needs_is_refused(parts: Registry[Part]) -> None:
    with pytest.raises(SettingsError, match=r"widget 'part'.*size"):
        parts.build("part", given=1, hidden=[])


def test_a_bare_number_stands_for_one_part_where_the_role_says_so(parts: Registry[Part]) -> None:
    assert parts.normalise(4) == {"kind": "part", "size": 4.0}
    without: Registry[Part] = Registry("other")
    with pytest.raises(SettingsError, match="other: expected a name or a table with 'kind', got 4"):
        without.normalise(4)


def test_a_file_cannot_name_a_class_of_python() -> None:
    for name in ("torch.nn.Linear", "os.system", "builtins.eval", "__class__", "MLPEncoder"):
        with pytest.raises(SettingsError, match="unknown encoder"):
            ENCODERS.build(name, event_shape=(2,), context_dim=0, hidden=[])


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        (ENCODERS, {"mlp"}),
        (DECODERS, {"mlp"}),
        (POSTERIORS, {"gaussian", "point"}),
        (PRIORS, {"normal"}),
        (LIKELIHOODS, {"bernoulli", "gaussian"}),
        (SCHEDULES, {"constant", "linear", "cyclical", "triangle"}),
    ],
    ids=lambda value: value.role if isinstance(value, Registry) else "",
)
def test_the_parts_that_recipes_rely_on_are_registered(registry: Registry[Any], names: set[str]) -> None:
    assert names <= set(registry)


def test_nearest_names_one_choice_and_lists_all() -> None:
    assert nearest("tanhh", ["relu", "tanh"]) == "did you mean 'tanh'? valid: relu, tanh"
    assert nearest("xyz", ["relu", "tanh"]) == "valid: relu, tanh"
    assert nearest("x", []) == "valid: "


@pytest.mark.parametrize("name", ["epochs", "batch_size", "beta", "hidden_dim", "learning_rate.peak", "beta.steps"])
def test_a_number_of_thousands_of_digits_is_one_line(name: str) -> None:
    base = Settings(beta={"kind": "linear"}, learning_rate={"kind": "triangle", "peak": 1.0})

    def build() -> None:
        asked = apply_overrides(base, [f"{name}=0x1{'0' * 5000}"])
        SCHEDULES.build(asked.beta)
        SCHEDULES.build(asked.learning_rate)

    with pytest.raises(SettingsError) as error:
        build()
    assert len(str(error.value)) < 300

"""The measures of synthetic rows, against SciPy, counting by hand, and cases whose answer is known."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from dreamgen.errors import DataError
from dreamgen.evaluation.synthetic import (
    augmentation,
    column_shapes,
    detection,
    kinds_of,
    measure,
    membership,
    missing_shares,
    nearness,
    pair_trends,
    rare_categories,
    utility,
)
from dreamgen.evaluation.synthetic.features import Levels, Space, tree_features
from dreamgen.evaluation.synthetic.membership import true_positives
from dreamgen.evaluation.synthetic.neighbours import nearest_distance
from dreamgen.evaluation.synthetic.trends import in_bins
from dreamgen.evaluation.synthetic.view import labels, number


def people(n: int, seed: int, independent: bool = False) -> pa.Table:
    """Ages, pay that rises with them, a town, a label that follows from both; some cells missing."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n).round()
    pay = age * 100 + rng.normal(0, 500, n)
    town = rng.choice(["a", "b", "c", "d"], n, p=[0.5, 0.3, 0.18, 0.02])
    rich = (pay + 800 * (town == "a") + rng.normal(0, 300, n)) > 4400
    if independent:
        age, pay, town = (rng.permutation(values) for values in (age, pay, town))
    return pa.table(
        {
            "age": pa.array(age.astype(int)),
            "pay": pa.array(pay, mask=rng.random(n) < 0.1),
            "town": pa.array(town.tolist(), mask=rng.random(n) < 0.05),
            "rich": pa.array(rich),
        }
    )


REAL, OTHER, INDEPENDENT = people(2000, 0), people(1500, 1), people(2000, 2, independent=True)
KINDS = kinds_of(REAL)


def test_numbers_and_categories_are_told_apart_by_type_or_by_schema() -> None:
    assert KINDS.numbers == ("age", "pay")
    assert KINDS.categories == ("town", "rich")
    told = kinds_of(REAL, {"age": "ordinal", "pay": "positive", "town": "identifier", "rich": "boolean"})
    assert (told.numbers, told.categories) == (("pay",), ("age", "rich"))


def test_shapes_are_scipys_ks_distance_and_the_total_variation() -> None:
    found = column_shapes(REAL, OTHER, KINDS)
    for name in KINDS.numbers:
        a, b = (np.array([v for v in t.column(name).to_pylist() if v is not None]) for t in (REAL, OTHER))
        assert found[name] == pytest.approx(1 - stats.ks_2samp(a, b).statistic, abs=1e-12)
    for name in KINDS.categories:
        a, b = (t.column(name).to_pylist() for t in (REAL, OTHER))
        gaps = [abs(a.count(v) / len(a) - b.count(v) / len(b)) for v in {*a, *b}]
        assert found[name] == pytest.approx(1 - sum(gaps) / 2, abs=1e-12)


def test_columns_without_a_value_in_common_have_nothing_in_common() -> None:
    a, b = pa.table({"x": [1.0, 2.0], "c": ["u", "u"]}), pa.table({"x": [5.0, 6.0], "c": ["v", "w"]})
    assert column_shapes(a, b, kinds_of(a)) == {"x": 0.0, "c": 0.0}
    assert column_shapes(a, a, kinds_of(a)) == {"x": 1.0, "c": 1.0}


def test_trends_are_correlations_and_tables_of_counts() -> None:
    found = pair_trends(REAL, INDEPENDENT, KINDS)
    r = []
    for t in (REAL, INDEPENDENT):
        rows = [(a, p) for a, p in zip(t["age"].to_pylist(), t["pay"].to_pylist(), strict=True) if p is not None]
        r.append(stats.pearsonr(*map(np.array, zip(*rows, strict=True))).statistic)
    assert found["age", "pay"] == pytest.approx(1 - abs(r[0] - r[1]) / 2, abs=1e-12)

    ages = np.array(REAL["age"].to_pylist(), float)
    edges = np.linspace(ages.min(), ages.max(), 11)[1:-1]
    shares = []
    for t in (REAL, INDEPENDENT):
        pairs = [
            (sum(a >= e for e in edges), c) for a, c in zip(t["age"].to_pylist(), t["town"].to_pylist(), strict=True)
        ]
        shares.append({pair: pairs.count(pair) / len(pairs) for pair in pairs})
    gap = sum(abs(shares[0].get(p, 0) - shares[1].get(p, 0)) for p in {*shares[0], *shares[1]})
    assert found["age", "town"] == pytest.approx(1 - gap / 2, abs=1e-12)
    assert len(found) == 6


def test_a_missing_number_has_a_bin_of_its_own_and_what_lies_outside_goes_to_the_ends() -> None:
    real = np.array([0.0, 10.0])
    assert in_bins(real, np.array([np.nan, -5.0, 0.5, 9.5, 20.0])).tolist() == [0, 1, 1, 10, 10]


def test_numbers_that_stopped_to_vary_cost_half() -> None:
    a = pa.table({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]})
    assert pair_trends(a, pa.table({"x": [2.0] * 3, "y": [1.0, 2.0, 4.0]}), kinds_of(a)) == {("x", "y"): 0.5}


def test_a_logistic_regression_passes_independent_columns_and_boosting_does_not() -> None:
    alike, apart = (detection(REAL, table, KINDS, most=1000) for table in (OTHER, INDEPENDENT))
    assert alike["c2st"] > 0.85
    assert alike["c2st_boosting"] > 0.85
    assert apart["c2st"] > 0.85
    assert apart["c2st_boosting"] < 0.4


def test_rows_that_carry_their_origin_are_told_apart() -> None:
    moved = REAL.set_column(0, "age", pa.array(np.array(REAL["age"].to_pylist()) + 500))
    assert detection(REAL, moved, KINDS) == {"c2st": 0.0, "c2st_boosting": 0.0}


def test_utility_falls_where_the_label_has_no_cause_left() -> None:
    real, lost = (utility(t, OTHER, "rich", KINDS) for t in (REAL, INDEPENDENT))
    assert real["auc"] > 0.95 > 0.65 > lost["auc"]
    assert real["f1"] > lost["f1"]
    numbers = [utility(t, OTHER, "pay", KINDS)["r2"] for t in (REAL, INDEPENDENT)]
    assert numbers[0] > 0.75 > 0.2 > numbers[1]


def test_utility_of_one_class_is_a_guess() -> None:
    poor = REAL.filter(pa.compute.invert(REAL["rich"]))
    assert utility(poor, OTHER, "rich", KINDS)["auc"] == 0.5


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(DataError, match="expected one of age, pay, town, rich, got 'riches'"):
        utility(REAL, OTHER, "riches", KINDS)


def test_nearest_distances_are_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(1000, 1, (n, 7)).astype(np.float32) for n in (700, 300))
    exact = np.sort(cdist(a.astype(float), b.astype(float)), 1)
    for k in (1, 5):
        assert nearest_distance(a, b, k) == pytest.approx(exact[:, k - 1], abs=1e-4)
    assert nearest_distance(b, b).max() == 0


def test_copies_are_nearer_to_train_and_fresh_rows_are_not() -> None:
    rng = np.random.default_rng(0)
    train, holdout, fresh = (rng.normal(size=(1500, 5)).astype(np.float32) for _ in range(3))
    leaked = nearness(np.concatenate([train[:500], fresh[:1000]]), train, holdout)
    honest = nearness(fresh, train, holdout)
    assert leaked.share == pytest.approx(1 / 3 + 2 / 3 * honest.share, abs=0.03)
    assert abs(honest.share - 0.5) < 4 * honest.stderr
    assert nearness(fresh, train, train).share == 0.5


def test_membership_is_blind_for_fresh_rows_and_sees_copies() -> None:
    rng = np.random.default_rng(1)
    members, others, reference, fresh = (rng.normal(size=(800, 6)).astype(np.float32) for _ in range(4))
    honest = membership(fresh, members, others, reference)
    assert abs(honest["auc_distance"] - 0.5) < 4 * honest["auc_stderr"]
    assert abs(honest["auc_density"] - 0.5) < 4 * honest["auc_stderr"]
    copied = membership(members + np.float32(1e-3), members, others, reference)
    assert copied["auc"] > 0.99
    assert copied["tpr"] > 0.9


def test_true_positives_at_one_per_cent_by_hand() -> None:
    truth = np.repeat([1, 0], [4, 100])
    score = np.concatenate([[9.0, 8.0, 6.0, 0.0], [7.0, 5.0], np.zeros(98)])
    # One of a hundred may be accused, the one with 7: then three members are found.
    assert true_positives(truth, score) == 0.75
    assert roc_auc_score(truth, score) > 0.5


def test_rare_categories_are_counted() -> None:
    real = pa.table({"c": ["a"] * 96 + ["b", "b", "c", "d"]})
    synthetic = pa.table({"c": ["a"] * 98 + ["b", "c"]})
    found = rare_categories(real, synthetic, kinds_of(real))
    assert found["rare"] == 3
    assert found["covered"] == pytest.approx(2 / 3)
    assert found["mass"] == pytest.approx(2 / 4)
    assert found["expected"] == pytest.approx((3 - 0.98**100 - 2 * 0.99**100) / 3)
    assert np.isnan(rare_categories(real, synthetic, kinds_of(real), below=0.001)["covered"])


def test_missing_cells_are_compared() -> None:
    found = missing_shares(REAL, OTHER, KINDS)
    assert set(found) == {"pay", "town"}
    assert found["pay"] == pytest.approx((REAL["pay"].null_count / 2000, OTHER["pay"].null_count / 1500))


def test_nan_is_missing_as_a_null_is() -> None:
    held = REAL["pay"].to_pylist()
    with_nan = REAL.set_column(
        REAL.column_names.index("pay"), "pay", pa.array([math.nan if one is None else one for one in held])
    )
    assert with_nan["pay"].null_count == 0
    assert missing_shares(with_nan, OTHER, KINDS) == missing_shares(REAL, OTHER, KINDS)
    assert column_shapes(with_nan, OTHER, KINDS) == column_shapes(REAL, OTHER, KINDS)
    assert utility(with_nan, REAL, "pay", KINDS) == utility(REAL, REAL, "pay", KINDS)
    assert labels(pa.table({"c": [1.0, math.nan]}), "c").tolist() == ["1", ""]


def test_a_point_has_a_flag_for_what_is_missing_and_a_corner_for_a_category() -> None:
    table = pa.table({"x": [0.0, 2.0, None], "c": ["u", "v", "u"]})
    points = Space.fit([table], kinds_of(table)).points(table)
    assert points[:, 0] == pytest.approx([-1, 1, 0])
    assert points[:, 1].tolist() == [0, 0, 1]
    assert np.linalg.norm(points[0, 2:] - points[1, 2:]) == pytest.approx(1)


def test_unseen_categories_share_the_last_code() -> None:
    kinds = kinds_of(pa.table({"c": ["x"]}))
    levels = Levels.fit([pa.table({"c": ["b", "a", "b"]})], kinds)
    assert tree_features(pa.table({"c": ["a", "b", "zz", None]}), kinds, levels)[:, 0].tolist() == [1, 0, 2, 2]


def test_whole_numbers_that_gaps_made_floats_are_the_same_categories() -> None:
    assert labels(pa.table({"c": [1.0, None, 3.0]}), "c").tolist() == ["1", "", "3"]
    days = pa.table({"d": pa.array([0, 86400], pa.timestamp("s"))})
    assert number(days, "d").tolist() == [0, 86400]


def test_augmentation_adds_what_was_made_of_the_few_rows_alone() -> None:
    seen = []

    def make(few: pa.Table, n: int, seed: int) -> pa.Table:
        seen.append((few.num_rows, n))
        return people(n, seed + 50)

    found = augmentation(REAL, OTHER, "rich", KINDS, make, sizes=(100, 400), times=3)
    assert seen == [(100, 300), (400, 1200)]
    assert found[100]["real"] == utility(
        REAL.take(np.sort(np.random.default_rng(0).choice(2000, 100, replace=False))), OTHER, "rich", KINDS
    )
    assert found[100]["both"]["auc"] > found[100]["real"]["auc"]


def test_all_figures_at_once_are_repeatable() -> None:
    found = measure(REAL, people(1000, 7), KINDS, test=OTHER, target="rich")
    assert found["shape"] == pytest.approx(np.mean(list(found["columns"].values())))
    assert found["trend"] == pytest.approx(np.mean(list(found["pairs"].values())))
    assert found["synthetic"]["auc"] == pytest.approx(found["real"]["auc"], abs=0.03)
    assert found["privacy"]["membership_auc"] < 0.56
    # Whole ages and missing pay make equal rows by chance, of the holdout no fewer than of the training.
    assert abs(found["privacy"]["copies"] - found["privacy"]["copies_of_holdout"]) < 30
    assert measure(REAL, people(1000, 7), KINDS, test=OTHER, target="rich") == found


def test_copies_are_counted_over_all_rows() -> None:
    made = pa.concat_tables([REAL.slice(1900, 60), INDEPENDENT.slice(0, 40), OTHER.slice(1400, 7)])
    known = {tuple(row.values()) for row in REAL.to_pylist()}
    by_hand = sum(tuple(row.values()) in known for row in made.to_pylist())
    found = measure(REAL, made, KINDS, test=OTHER.slice(1395, 20))["privacy"]  # fewer test rows than training rows
    assert found["copies"] == by_hand >= 60
    assert found["copies_of_holdout"] == 7
    assert (found["train_rows"], found["test_rows"]) == (2000, 20)


@pytest.mark.parametrize("target", ["rich", "pay"])
@pytest.mark.parametrize("rows", [0, 1])
def test_a_test_part_of_a_row_or_none_does_no_harm(rows: int, target: str) -> None:
    test = OTHER.filter(OTHER["pay"].is_valid()).slice(0, rows)
    found = measure(REAL, INDEPENDENT.slice(0, 300), KINDS, test=test, target=target)
    assert ("privacy" in found) == bool(rows)
    if rows:
        assert np.isnan(found["privacy"]["membership_auc"])
        assert 0 <= found["privacy"]["share"] <= 1


def test_too_few_rows_tell_nothing_of_the_two_sides() -> None:
    two = pa.table({"a": [1.0, 2.0], "b": ["x", "y"]})
    found = detection(two, two, kinds_of(two))
    assert all(np.isnan(value) for value in found.values())

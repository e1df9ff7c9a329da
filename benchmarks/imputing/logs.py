"""Sensor logs with contiguous blocks hidden, each sensor apart, and what can be put there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

from imputing.tables import folder

SHARE = 0.2  # of each sensor's values that is hidden


@dataclass(frozen=True)
class Log:
    """Standardised sensors over time.

    Attributes:
        frame: the columns `time` and `unit`, then the sensors.
        blocks: shortest and longest block that is hidden, in rows.
        window: rows of a window.
    """

    frame: pd.DataFrame
    blocks: tuple[int, int]
    window: int

    @property
    def sensors(self) -> list[str]:
        return list(self.frame.columns[2:])

    def hide(self, random: np.random.Generator) -> pd.DataFrame:
        """The frame without blocks of each sensor, drawn until `SHARE` of it is gone."""
        hidden = self.frame.copy()
        for sensor in self.sensors:
            gone = np.zeros(len(hidden), bool)
            while gone.mean() < SHARE:
                length, start = random.integers(self.blocks[0], self.blocks[1] + 1), random.integers(len(hidden))
                gone[start : start + length] = True
            hidden.loc[gone, sensor] = np.nan
        return hidden


def beijing(most: int) -> Log:
    """Hourly weather and fine dust; the gaps it came with stay and are not scored."""
    raw = pd.read_csv(folder() / "timeseries" / "beijing_pm25_hourly.csv.gz").iloc[:most]
    frame = raw[["pm2.5", "DEWP", "TEMP", "PRES", "Iws"]].astype(float)
    frame.insert(0, "time", pd.to_datetime(raw[["year", "month", "day", "hour"]]))
    frame.insert(1, "unit", 1)
    return Log(_standard(frame), (3, 24), 24)


def cmapss(most: int) -> Log:
    """A hundred engines until they fail; sensors that never change are left out."""
    raw = pd.read_csv(folder() / "timeseries" / "cmapss_fd001_train.csv.gz").iloc[:most]
    frame = raw.rename(columns={"cycle": "time"}).drop(columns=["setting_1", "setting_2", "setting_3"])
    frame = frame[["time", "unit", *(c for c in frame if c.startswith("sensor") and frame[c].nunique() > 10)]]
    return Log(_standard(frame), (5, 30), 16)


def _standard(frame: pd.DataFrame) -> pd.DataFrame:
    values = frame.iloc[:, 2:].astype(float)
    frame.iloc[:, 2:] = 0
    return pd.concat([frame.iloc[:, :2], (values - values.mean()) / values.std(ddof=0)], axis=1)


LOGS: dict[str, Callable[[int], Log]] = {"Beijing PM2.5": beijing, "C-MAPSS FD001": cmapss}


def score(log: Log, hidden: pd.DataFrame, filled: pd.DataFrame) -> dict[str, Any]:
    """RMSE over the hidden values, of all sensors and of each."""
    cells = hidden[log.sensors].isna() & log.frame[log.sensors].notna()
    squares = (filled[log.sensors] - log.frame[log.sensors]).where(cells) ** 2
    each = np.sqrt(squares.mean())
    return {"rmse": float(np.sqrt(np.nansum(squares) / cells.to_numpy().sum())), "sensors": each.round(4).to_dict()}


def interpolated(log: Log, hidden: pd.DataFrame) -> pd.DataFrame:
    """Straight lines in time within each unit; before the first and after the last value, that value."""
    filled = hidden.copy()
    by_unit = hidden.groupby("unit")[log.sensors]
    filled[log.sensors] = by_unit.transform(lambda x: x.interpolate(limit_direction="both"))
    return filled.fillna(0)  # a sensor of a unit without any value: the mean


def by_rows(estimator: Any, seed: int) -> Callable[[Log, pd.DataFrame], pd.DataFrame]:
    """IterativeImputer over rows, which also get the time of the day and of the year, or the cycle."""

    def fill(log: Log, hidden: pd.DataFrame) -> pd.DataFrame:
        return _iterated(log, hidden, np.concatenate([hidden[log.sensors], _clock(hidden)], 1), estimator, seed)

    return fill


def by_windows(estimator: Any, seed: int) -> Callable[[Log, pd.DataFrame], pd.DataFrame]:
    """IterativeImputer over rows that also get the sensors of some rows before and after."""

    def fill(log: Log, hidden: pd.DataFrame) -> pd.DataFrame:
        by_unit = hidden.groupby("unit")[log.sensors]
        shifts = [by_unit.shift(step) for step in (0, -8, -4, -2, -1, 1, 2, 4, 8)]
        return _iterated(log, hidden, np.concatenate([*shifts, _clock(hidden)], 1), estimator, seed)

    return fill


def _iterated(log: Log, hidden: pd.DataFrame, x: NDArray[Any], estimator: Any, seed: int) -> pd.DataFrame:
    imputer = IterativeImputer(estimator, max_iter=5, n_nearest_features=40, random_state=seed)
    filled = hidden.copy()
    filled[log.sensors] = imputer.fit_transform(x)[:, : len(log.sensors)]
    return filled


def _clock(frame: pd.DataFrame) -> NDArray[np.float64]:
    time = frame["time"]
    if time.dtype.kind != "M":
        return time.to_numpy(dtype=np.float64)[:, None] / 100
    turns = np.stack([time.dt.hour / 24, time.dt.dayofyear / 365.25], 1) * 2 * np.pi
    return np.concatenate([np.sin(turns), np.cos(turns)], 1)


def ours(seed: int, **settings: Any) -> Callable[[Log, pd.DataFrame], pd.DataFrame]:
    """`Imputer` over windows."""

    def fill(log: Log, hidden: pd.DataFrame) -> pd.DataFrame:
        from dreamgen import Imputer

        several = hidden["unit"].nunique() > 1
        imputer = Imputer(
            window=log.window, time="time", group="unit" if several else None, random_state=seed, **settings
        )
        rows = hidden if several else hidden.drop(columns="unit")
        filled = hidden.copy()
        filled[log.sensors] = imputer.fit_transform(rows)[log.sensors]
        return filled

    return fill


def peers(seed: int) -> dict[str, Callable[[Log, pd.DataFrame], pd.DataFrame]]:
    trees = ExtraTreesRegressor(50, min_samples_leaf=5, random_state=seed)
    return {
        "interpolation": interpolated,
        "linear, rows": by_rows(BayesianRidge(), seed),
        "linear, neighbouring rows too": by_windows(BayesianRidge(), seed),
        "extra trees, rows": by_rows(trees, seed),
    }

"""How a recording's gaze went over areas of interest: a row an area, the ways between them, the rests on each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from regard.area import ELSEWHERE, Area, require_names
from regard.engine.area_scores import AreaScores
from regard.engine.events import DIGITS, LEAST_MEASUREMENTS, MIN_RATE_HZ, eye_movements
from regard.errors import NothingToScoreError
from regard.io.areas.files import picture_of, read_areas
from regard.io.given import recording_of
from regard.ops.areas import MAX_GAP_S, inside_area, lasts_s, rests_on, there_s, transitions_of, visits_of
from regard.types import GazeTrack, Recording

RESTS = ("fixation", "pursuit")
"""Eye movements that are rests on something; pursuit is one on what moves."""

COLUMNS = (
    "segment", "area", "start_s", "end_s", "there_s", "appears_s", "dwell_s", "dwell_share", "fixations", "fixation_s",
    "mean_fixation_s", "first_fixation_s", "visits", "mean_visit_s", "first_visit_s", "measured_s", "not_measured_s",
)  # fmt: skip
OF_FIXATIONS = COLUMNS[8:15]
COUNTS = ["fixations", "visits"]


class _Stretch(NamedTuple):
    name: str
    start_s: float
    end_s: float


class _Looks(NamedTuple):
    """Gaze and rests, and which area each is in; `on` is None where rests cannot be told."""

    track: GazeTrack
    hits: Bool[np.ndarray, "a n"]
    rests: pd.DataFrame
    on: Bool[np.ndarray, "a e"] | None


def areas(
    recording: Recording | Path | str,
    areas: Sequence[Area] | Path | str,
    *,
    segments: str | None = None,
    watched: bool = False,
    look: bool = True,
    recorded: bool = False,
    field_deg: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AreaScores:
    """Dwell time, fixations, visits and transitions of areas of interest: regard.areas.

    `areas` may be a file of them. With `segments`, each of the recording's segments of that kind is scored for itself,
    else the whole recording, to the end of its video. The other arguments say how fixations are told, as for
    `regard.eye_movements`; in gaze of less than 9 Hz they cannot be, and what depends on them is NaN.

    Raises AreaError for areas that are none or have one name, NothingToScoreError without gaze or such segments, and
    what reading raises.

    Examples:
        >>> half = regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
        >>> regard.areas("my_recording/", [half], look=False).table[["area", "fixations"]]
                area  fixations
        0  left half          0
        1  elsewhere          3
    """
    recording = recording_of(recording)
    named = read_areas(areas, recording) if isinstance(areas, str | Path) else tuple(areas)
    require_names(named)
    gaze = _gaze_of(recording)
    stretches = _stretches(recording, segments)
    if gaze.interval_s <= 1 / MIN_RATE_HZ:
        found = eye_movements(
            recording, watched=watched, look=look, recorded=recorded, field_deg=field_deg, progress=progress
        )
        recording, said = found.recording, found.protocol
        rests = found.table.loc[np.isin(found.table["kind"], RESTS)].reset_index(drop=True)
    else:
        rests = pd.DataFrame({"kind": np.zeros(0, object), **{n: np.zeros(0) for n in ("start_s", "end_s", "x", "y")}})
        said = f"no fixations: {1 / gaze.interval_s:.3g} measurements of gaze a second are too few to tell them"
    hits = np.array([inside_area(area, gaze.time_s, gaze.point) for area in named], bool)
    told = gaze.interval_s <= 1 / MIN_RATE_HZ
    on = rests_on(hits, gaze, *rests[["start_s", "end_s"]].to_numpy(np.float64).T) if told else None
    looks = _Looks(gaze, hits, rests, on)
    table = pd.DataFrame([row for s in stretches for row in _rows(looks, named, s)], columns=COLUMNS)
    return AreaScores(
        recording=recording,
        areas=named,
        table=table.round(DIGITS).astype(dict.fromkeys(COUNTS, "Int64")),
        transitions=pd.concat([_ways(looks, named, s) for s in stretches], ignore_index=True),
        fixations=_fixations(looks, named),
        protocol="areas: a fixation is on an area that holds more than half of it, where areas overlap each counts; "
        f"a visit is fixations on an area with none elsewhere and no more than {MAX_GAP_S:g} s between; pursuit "
        f"counts as fixation; {_measured(table)}; {said}",
    )


def _measured(table: pd.DataFrame) -> str:
    once = table.drop_duplicates(["segment", "start_s", "end_s"])
    missing_s, whole_s = once["not_measured_s"].sum(), (once["end_s"] - once["start_s"]).sum()
    return f"gaze was not measured in {missing_s:.2f} of {whole_s:.2f} s, which count for no area"


def _rows(looks: _Looks, areas: Sequence[Area], stretch: _Stretch) -> list[dict[str, object]]:
    lasts = lasts_s(looks.track, start_s=stretch.start_s, end_s=stretch.end_s) * looks.track.valid
    measured_s = float(lasts.sum())
    own, start_s, end_s = _within(looks, stretch)
    in_none = ~looks.hits.any(axis=0)
    rows = []
    for k, name in enumerate([*(area.name for area in areas), ELSEWHERE]):
        whole = [(stretch.start_s, stretch.end_s)]
        there = whole if k == len(areas) else there_s(areas[k], stretch.start_s, stretch.end_s)
        dwell_s = float((lasts * (in_none if k == len(areas) else looks.hits[k])).sum())
        row: dict[str, object] = {
            **dict.fromkeys(OF_FIXATIONS, np.nan),
            "segment": stretch.name,
            "area": name,
            "start_s": stretch.start_s,
            "end_s": stretch.end_s,
            "there_s": sum(until_s - from_s for from_s, until_s in there),
            "appears_s": there[0][0] - stretch.start_s if there else np.nan,
            "dwell_s": dwell_s,
            "dwell_share": dwell_s / measured_s if measured_s > 0 else np.nan,
            "measured_s": measured_s,
            "not_measured_s": stretch.end_s - stretch.start_s - measured_s,
        }
        if own is not None:
            on = np.logical_not(own.any(axis=0)) if k == len(areas) else own[k]
            row |= _of_fixations(on, start_s, end_s, since_s=stretch.start_s)
        rows.append(row)
    return rows


def _of_fixations(
    on: Bool[np.ndarray, "e"],
    start_s: Float64[np.ndarray, "e"],
    end_s: Float64[np.ndarray, "e"],
    *,
    since_s: float,
) -> dict[str, object]:
    long_s = (end_s - start_s)[on]
    visits = visits_of(on, start_s, end_s)
    visit_s = visits.end_s - visits.start_s
    return {
        "fixations": len(long_s),
        "fixation_s": float(long_s.sum()),
        "mean_fixation_s": float(long_s.mean()) if len(long_s) else np.nan,
        "first_fixation_s": float(start_s[on][0]) - since_s if len(long_s) else np.nan,
        "visits": len(visit_s),
        "mean_visit_s": float(visit_s.mean()) if len(visit_s) else np.nan,
        "first_visit_s": float(visit_s[0]) if len(visit_s) else np.nan,
    }


def _within(
    looks: _Looks, stretch: _Stretch
) -> tuple[Bool[np.ndarray, "a f"] | None, Float64[np.ndarray, "f"], Float64[np.ndarray, "f"]]:
    """Which area each rest of a stretch is on, and from when to when within it."""
    start_s, end_s = looks.rests[["start_s", "end_s"]].to_numpy(np.float64).T
    during = (start_s < stretch.end_s) & (end_s > stretch.start_s)
    on = None if looks.on is None else looks.on[:, during]
    return on, np.maximum(start_s[during], stretch.start_s), np.minimum(end_s[during], stretch.end_s)


def _ways(looks: _Looks, areas: Sequence[Area], stretch: _Stretch) -> pd.DataFrame:
    """A row for each ordered pair of different places; of no rows where rests cannot be told."""
    names = np.array([*(area.name for area in areas), ELSEWHERE], object)
    own, start_s, end_s = _within(looks, stretch)
    counts = np.zeros((0, 0), np.int64) if own is None else transitions_of(own, start_s, end_s)
    source, target = np.nonzero(~np.eye(len(counts), dtype=bool))
    count, all_from = counts[source, target], counts.sum(axis=1)[source]
    share = np.where(all_from > 0, count / np.maximum(all_from, 1), np.nan)
    return pd.DataFrame(
        {
            "segment": np.full(len(count), stretch.name, object),
            "from": names[source],
            "to": names[target],
            "count": count,
            "probability": share.round(DIGITS),
        }
    )


def _fixations(looks: _Looks, areas: Sequence[Area]) -> pd.DataFrame:
    """A row for each rest and area that it is on, in time order, also for those in none."""
    columns = ["area", "kind", "start_s", "end_s", "x", "y"]
    if looks.on is None:
        return looks.rests.assign(area=np.zeros(0, object)).reindex(columns=columns)
    places = np.concatenate([looks.on, ~looks.on.any(axis=0, keepdims=True)])
    rest, place = np.nonzero(places.T)
    names = np.array([*(area.name for area in areas), ELSEWHERE], object)
    return looks.rests.iloc[rest].assign(area=names[place]).reindex(columns=columns).reset_index(drop=True)


def _gaze_of(recording: Recording) -> GazeTrack:
    gaze = recording.gaze
    if gaze is None or gaze.valid.sum() < LEAST_MEASUREMENTS:
        raise NothingToScoreError(
            recording.id,
            found="no gaze" if gaze is None else f"{int(gaze.valid.sum())} valid measurements of gaze, of {len(gaze)}",
            wanted="gaze, of which areas hold a share",
            do="put a gaze.csv beside the video, or see what `regard check` says about the gaze",
        )
    return gaze


def _stretches(recording: Recording, kind: str | None) -> list[_Stretch]:
    end_s = picture_of(recording).end_s
    if kind is None:
        return [_Stretch("", 0.0, end_s)]
    found = [s for s in recording.segments if s.kind == kind and s.end_s > 0 and s.start_s < end_s]
    if not found:
        kinds = ", ".join(sorted({segment.kind for segment in recording.segments}))
        raise NothingToScoreError(
            recording.id,
            found=f"segments of kind {kinds}" if kinds else "no segments",
            wanted=f"segments of kind {kind!r} within the recording",
            do="name another kind, or put a labels.csv beside the video: see docs/tables.md",
        )
    return [_Stretch(s.name, max(s.start_s, 0.0), min(s.end_s, end_s)) for s in found]

"""Predictions as parquet, readable by pandas, polars and DuckDB without regard.

One row a moment: `time_s`, `seen_until_s`, `x` and `y` (centre of the most likely cell, normalised) and `log_density`,
the h*w natural logarithms of cell probabilities in row-major order. The file's metadata holds `recording`, `model`,
`height`, `width` and `temperature` (1 where it is missing).
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from regard.errors import FileError
from regard.io.files import writing
from regard.types import Prediction

_COLUMNS = ("time_s", "seen_until_s", "x", "y", "log_density")


def write_prediction(prediction: Prediction, path: Path) -> None:
    """Save a prediction; nothing is left under the final name when it fails. Raises FileError."""
    h, w = prediction.log_density.shape[1:]
    flat = pa.array(prediction.log_density.reshape(-1), pa.float32())
    columns = {
        "time_s": prediction.time_s,
        "seen_until_s": prediction.seen_until_s,
        "x": prediction.point[:, 0],
        "y": prediction.point[:, 1],
        "log_density": pa.FixedSizeListArray.from_arrays(flat, h * w),
    }
    about = {
        "recording": prediction.recording,
        "model": prediction.model,
        "height": str(h),
        "width": str(w),
        "temperature": str(prediction.temperature),
    }
    with writing(path) as beside:
        pq.write_table(pa.table(columns).replace_schema_metadata(about), beside, compression="zstd")


def read_prediction(path: Path) -> Prediction:
    """What `write_prediction` saved. Raises FileError where the file is missing or is another table."""
    try:
        table = pq.read_table(path)
        about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        h, w = int(about["height"]), int(about["width"])
        recording, model, temperature = about["recording"], about["model"], float(about.get("temperature", 1.0))
        time_s, seen_until_s = (table[c].to_numpy().astype(np.float64) for c in _COLUMNS[:2])
        flat = table["log_density"].combine_chunks().flatten().to_numpy()
        log_density = flat.astype(np.float32).reshape(len(time_s), h, w)
    except (OSError, pa.ArrowException, AttributeError, KeyError, ValueError) as error:
        raise FileError(
            path,
            found=f"no readable prediction ({error})",
            wanted=f"a parquet file with the columns {', '.join(_COLUMNS)} and the grid in its metadata",
            do="write one with `regard predict RECORDING --out DIR`",
        ) from error
    return Prediction(
        recording=recording,
        model=model,
        time_s=time_s,
        seen_until_s=seen_until_s,
        log_density=log_density,
        temperature=temperature,
    )

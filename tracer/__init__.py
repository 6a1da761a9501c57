"""System calls and I/O models under the eye: probes, analysis and drawing (see README.md).

    import tracer

    run = tracer.open("run.parquet")
    run.operations      # a pyarrow.Table; also calls, threads, descriptors, signals
    run.figure          # a picture, in Jupyter

docs/export.md says more.
"""

import importlib
import os
from typing import Any

__version__ = "0.1.0"


def open(path: str | os.PathLike[str]) -> Any:
    """The recording at `path` (a tracer.tables.run.Run): its tables, its report, its figure. Raises RecordingError
    (tracer/recording/parquet.py) where there is none that can be read."""
    # loaded when it is called: the folders of tracer do not depend on what stands above them
    return importlib.import_module("tracer.tables.run").Run(path)

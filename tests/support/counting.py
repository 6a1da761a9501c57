"""Arrays, lists and dicts that count how often they are gone through: how work grows is said without a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tracer.analysis.tables.table import Table, names_of


class Counted(np.ndarray):
    """An array that adds up the elements of every operation on it, and on what is taken from it."""

    work = 0

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **more: Any
    ) -> Any:
        plain = [np.asarray(its) for its in inputs]
        Counted.work += max(its.size for its in plain)
        if out is not None:
            more["out"] = tuple(np.asarray(its) for its in out)
        return _counted(getattr(ufunc, method)(*plain, **more))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _counted(super().__array_function__(function, types, args, kwargs))


def _counted(made: Any) -> Any:
    if isinstance(made, tuple | list):
        return type(made)(map(_counted, made)) if type(made) in (tuple, list) else made
    return made.view(Counted) if isinstance(made, np.ndarray) else made


def counted(table: Table) -> Table:
    """A table whose columns are Counted."""
    return type(table)(*(getattr(table, name).view(Counted) for name in names_of(type(table))))


class Walked(list[Any]):
    """A list that counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[Any]:
        self.times += 1
        return super().__iter__()


class WalkedDict(dict[Any, Any]):
    """A dict that does."""

    times = 0

    def __iter__(self) -> Iterator[Any]:
        self.times += 1
        return super().__iter__()

    def items(self) -> Any:  # dict_items, which has no name
        self.times += 1
        return super().items()


def work(do: Callable[[], object]) -> int:
    """Elements that were gone through."""
    before = Counted.work
    do()
    return Counted.work - before

"""Lives of descriptors: a number means one file from the call that opened it to the one that closed or replaced it.

A life has a code. That of one that a traced call began is its number in LifeFacts, from 0 on. One that nobody saw begin
(what a table began with, or what follows a close) has a code of its own, and a number when it is looked at. So a look
at a descriptor that was open before (WAS_OPEN) tells of its whole life, back to the close before, and what was done on
it is known by its code until then (`resolved`).

close(2) frees the number at some time between its entry and its exit, so that a call of another thread may have the
number again before the close is recorded: then the life ended before that call returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptor_tables import DescriptorTables, Links, Passes
from tracer.analysis.identity.life_facts import LifeFacts, Looks
from tracer.analysis.tables.history import History
from tracer.analysis.tables.table import Table

_MOST_LINKS = 512  # versions of tables between a descriptor's use and the call that opened it
_CLOSED = 1 << 40  # from here on codes of lives that follow a close, below −1 − these: keys
NO_LIFE = np.iinfo(np.int64).min  # of a call that was given no descriptor


@dataclass(slots=True)
class Ends(Table):
    """Calls that closed a descriptor (int64[n] each): version of the table, descriptor, entry and exit of the call
    (ns)."""

    version: np.ndarray
    fd: np.ndarray
    start: np.ndarray
    end: np.ndarray


class DescriptorLives:
    """Feed batches in time order; then ask for any time so far."""

    def __init__(self, tables: DescriptorTables) -> None:
        self.facts = LifeFacts()
        self._tables = tables
        # version and descriptor → code of the life since then, and whether it had FD_CLOEXEC when it was opened
        self._begun = History(2)
        self._closing = History(1)  # version and descriptor → whether a look found FD_CLOEXEC
        self._looked_at = History(1)  # code of a life that nobody saw begin → its number in `facts`
        self._closes = 0

    def feed(
        self,
        opened: tuple[np.ndarray, np.ndarray, Looks],
        closed: Ends,
        looked: tuple[np.ndarray, np.ndarray, np.ndarray, Looks],
    ) -> tuple[np.ndarray, np.ndarray]:
        """A batch. opened: versions, descriptors and files of those that calls opened; looked: the same of those that
        were open before, and since when (ns) each look holds at the least: entries of the calls that used them.

        Returns the numbers (in `facts`) of the lives that were opened and of those that were looked at.
        """
        versions, fds, files = opened
        numbers = self.facts.add(files)
        self._begun.add(_key(versions, fds), files.time, numbers, files.closes_on_exec)
        self._end(closed)
        return numbers, self._look(*looked)

    def at(self, versions: np.ndarray, fds: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The code (int64[n]) of the life of each descriptor of a table's version at a time (ns)."""
        known, rows = self._begun.find(_key(versions, fds), times)
        codes = np.where(known, rows[:, 0], _unseen(versions, fds))
        codes[fds < 0] = NO_LIFE
        missing = np.flatnonzero(~known & (fds >= 0))
        if len(missing):
            inherited = self._inherited(versions[missing], fds[missing], looked_at=False)
            had = inherited >= 0
            codes[missing[had]] = inherited[had]
        return codes

    def settled(self, codes: np.ndarray) -> np.ndarray:
        """The number of each life in `facts` if it was opened by a call that was seen or was looked at in its own
        table, else -1: there a look may yet come."""
        seen = (codes >= 0) & (codes < _CLOSED)
        numbers = np.where(seen, codes, -1)
        others = np.flatnonzero(~seen & (codes != NO_LIFE))
        if len(others):
            known, rows = self._looked_at.find(codes[others], np.zeros(len(others), np.int64))
            numbers[others] = np.where(known, rows[:, 0], -1)
        return numbers

    def resolved(self, codes: np.ndarray) -> np.ndarray:
        """The number of each life in `facts`, -1 where nothing is known of it so far. A life that nobody looked at in
        its own table is what it was in the table that this one was copied from."""
        numbers = self.settled(codes)
        others = np.flatnonzero((numbers < 0) & (codes < 0) & (codes != NO_LIFE))
        if len(others):
            keys = -1 - codes[others]
            numbers[others] = self._inherited(keys >> 32, keys & 0xFFFFFFFF, looked_at=True)
        return numbers

    def _inherited(self, versions: np.ndarray, fds: np.ndarray, *, looked_at: bool) -> np.ndarray:
        """The lives (numbers in `facts`) that descriptors had in the versions before, where they stayed open; -1 for
        none. looked_at: those too that nobody saw begin."""
        steps: list[tuple[np.ndarray, Links]] = []  # rows, the links of their versions
        numbers, rows = np.full(len(fds), -1), np.arange(len(fds))
        for _ in range(_MOST_LINKS):
            links = self._tables.links(versions)
            linked = np.flatnonzero(links.parent)
            if not len(linked):
                break
            rows, links = rows[linked], Links(*(column[linked] for column in links))
            steps.append((rows, links))
            known, found = self._begun.find(_key(links.parent, fds[rows]), links.time)
            codes = np.where(known, found[:, 0], _unseen(links.parent, fds[rows]))
            here = self.settled(codes) if looked_at else np.where(codes < _CLOSED, codes, -1)
            known |= here >= 0
            numbers[rows] = np.where(known, np.maximum(here, -1), -1)
            rows, versions = rows[~known], links.parent[~known]
        self._pass_on(steps, numbers, fds)
        return numbers

    def _pass_on(
        self,
        steps: list[tuple[np.ndarray, Links]],
        numbers: np.ndarray,
        fds: np.ndarray,
    ) -> None:
        """From the oldest version to the newest: a life that was closed between two is none from then on."""
        closing = np.zeros(len(fds), bool)  # whether each descriptor has FD_CLOEXEC
        for rows, links in reversed(steps):
            closing[rows] = self._closes_on_exec(links, fds[rows], closing[rows])
            within = (fds[rows] >= links.first) & (fds[rows] <= links.last)
            stays = ~((links.passes == Passes.CLOSED) & within)
            stays &= ~((links.passes == Passes.EXEC) & closing[rows])
            gone = rows[~stays]
            numbers[gone] = -1
            closing[gone] = False
            closing[rows[(links.passes == Passes.TO_CLOSE) & within]] = True

    def _closes_on_exec(self, links: Links, fds: np.ndarray, inherited: np.ndarray) -> np.ndarray:
        """bool[n]: whether descriptors had FD_CLOEXEC when versions were made of their tables; inherited: whether they
        had it when their own version was."""
        keys = _key(links.parent, fds)
        begun, first = self._begun.find_since(keys, links.time)
        looked, later = self._closing.find_since(keys, links.time)
        looked &= ~begun | (later[:, -1] >= first[:, -1])
        since_begun = np.where(begun, first[:, 1] == 1, inherited)
        closes: np.ndarray = np.where(looked, later[:, 0] == 1, since_begun)
        return closes

    def _end(self, closed: Ends) -> None:
        """A close has no effect where the number had another file before the close returned: that ended the life."""
        closed = closed.take(np.lexsort((closed.end, closed.fd, closed.version)))
        while len(closed):
            keys = _key(closed.version, closed.fd)
            overlaps = np.zeros(len(closed), bool)
            overlaps[1:] = (keys[1:] == keys[:-1]) & (closed.end[:-1] > closed.start[1:])
            now, keys = closed.take(~overlaps), keys[~overlaps]
            known, rows = self._begun.find_since(keys, now.end)
            ends = ~known | (rows[:, -1] <= now.start)
            codes = _CLOSED + self._closes + np.arange(int(ends.sum()))
            self._closes += len(codes)
            self._begun.add(keys[ends], now.end[ends], codes, np.zeros(len(codes), np.int64))
            closed = closed.take(overlaps)

    def _look(
        self, versions: np.ndarray, fds: np.ndarray, since: np.ndarray, files: Looks
    ) -> np.ndarray:
        """Looks at descriptors that were open. One that shows another file than the life had is of a life whose
        beginning was not seen: it lasts at least since then."""
        codes = self.at(versions, fds, files.time)
        self._closing.add(_key(versions, fds), files.time, files.closes_on_exec)
        self._first_looks(codes, files)
        numbers = self.settled(codes)
        keys = _key(versions, fds)
        order = np.lexsort((files.time, codes, keys))
        keys, codes, numbers, since = (column[order] for column in (keys, codes, numbers, since))
        files = files.take(order)
        begins = _begins(keys, codes, files, self.facts.of(numbers))
        new = np.flatnonzero(begins)
        if len(new):
            _, rows = self._begun.find_since(keys[new], files.time[new])
            earliest = np.where(since[new] > rows[:, -1], since[new], files.time[new])
            split = self.facts.add(files.take(new))
            self._begun.add(keys[new], earliest, split, files.closes_on_exec[new])
            numbers = _carried_on(keys, codes, begins, split, numbers)
        again = np.flatnonzero(~begins)
        self.facts.look_again(numbers[again], files.take(again))
        given = np.empty(len(order), np.int64)
        given[order] = numbers
        return given

    def _first_looks(self, codes: np.ndarray, files: Looks) -> None:
        unknown = np.flatnonzero(self.settled(codes) < 0)
        unknown = unknown[np.argsort(files.time[unknown], kind="stable")]
        new, first = np.unique(codes[unknown], return_index=True)
        numbers = self.facts.add(files.take(unknown[first]))
        self._looked_at.add(new, np.zeros(len(new), np.int64), numbers)


def _begins(keys: np.ndarray, codes: np.ndarray, files: Looks, known: Looks) -> np.ndarray:
    """bool[n]: at which looks another file is there than before. Rows by key, life and time; known: what is known of
    the lives."""
    begins = ~files.same_file(known)
    follows = np.zeros(len(keys), bool)  # another look at that life
    follows[1:] = (keys[1:] == keys[:-1]) & (codes[1:] == codes[:-1])
    rows = np.flatnonzero(follows)
    begins[rows] = ~files.take(rows).same_file(files.take(rows - 1))
    return begins


def _carried_on(
    keys: np.ndarray, codes: np.ndarray, begins: np.ndarray, split: np.ndarray, numbers: np.ndarray
) -> np.ndarray:
    """The lives' numbers where some looks begin new ones: these go on until the next of the same key and life."""
    edge = np.append(True, (keys[1:] != keys[:-1]) | (codes[1:] != codes[:-1]))[: len(keys)]
    latest = np.maximum.accumulate(np.where(edge | begins, np.arange(len(keys)), 0))
    named = numbers.copy()
    named[begins] = split
    carried: np.ndarray = named[latest]
    return carried


def _key(versions: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Version of a table and descriptor as one number."""
    key: np.ndarray = versions.astype(np.int64) << 32 | fds.astype(np.int64) & 0xFFFFFFFF
    return key


def _unseen(versions: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """The code of the life with which a descriptor begins in a version of a table."""
    code: np.ndarray = -1 - _key(versions, fds)
    return code

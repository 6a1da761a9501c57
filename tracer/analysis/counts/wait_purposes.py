"""What the calls of select, poll and epoll_wait waited for, by what they watched: recorded sets, registrations with
epoll, and what the thread had tried before."""

from __future__ import annotations

import errno

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, SEND
from tracer.analysis.counts.epoll_purposes import EpollPurposes
from tracer.analysis.counts.purposes import (
    CONNECTIONS,
    INSTANCE,
    SENDING,
    SIGNALS,
    TIME,
    UNKNOWN,
    purposes,
    reason_of,
)
from tracer.analysis.counts.socket_states import SocketStates
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.analysis.threads.watched_sets import WatchedSetsStep, Watching
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

_SELECT, _POLL, _EPOLL, _SEND, _CONNECT, _TRANSFERS = (
    number_set(syscalls.class_numbers(names))
    for names in (
        syscalls.SELECT,
        syscalls.POLL,
        syscalls.EPOLL,
        SEND,
        CONNECT,
        (*syscalls.RECEIVE, *SEND, *ACCEPT, *CONNECT),
    )
)
WAITS = _SELECT | _POLL | _EPOLL
# What a thread's last receive, send, accept or connect said before it waited.
_NOTHING, _NO_ROOM, _IN_PROGRESS = range(3)
_OUT = 4  # POLLOUT


class WaitPurposes(Step[np.ndarray, "WaitPurposes"]):
    """Feeds give of each call of the batch the index into purposes.WAITS, −1 for calls that are no such waits or did
    not sleep."""

    NEEDS = (TimelineStep, Identity, WatchedSetsStep, SocketStates, EpollPurposes)

    def __init__(self) -> None:
        self._tried: dict[int, int] = {}  # thread → what its last transfer said
        self._epfds: dict[int, int] = {}  # thread → the last epoll descriptor that it waited on

    def feed(self, batch: RecordBatch, state: State) -> np.ndarray:
        calls = state[TimelineStep].calls
        reasons = np.full(len(calls), -1)
        tried = self._last_tried(calls)
        waits = WAITS[calls.nr]
        if waits.any():
            self._note_epfds(calls.where(_EPOLL[calls.nr]))
            rows = np.flatnonzero(waits & (calls.slept > 0))
            reasons[rows] = self._reasons(calls, rows, tried[rows], state)
        return reasons

    def finish(self, results: Results) -> WaitPurposes:
        self._watching = results[WatchedSetsStep]
        self._identity, self._epoll = results[Identity], results[EpollPurposes]
        self._sockets = results[SocketStates]
        return self

    def of_open(self, tid: int, number: int, tgid: int, time: int) -> int:
        """What a call of a thread waits for that has not returned when tracing ends: an index into purposes.WAITS."""
        tried = np.array([self._tried.get(tid, _NOTHING)])
        if _EPOLL[number]:
            mask, known = self._open_epoll(tid, tgid, time)
            return int(_decided(mask, known, np.array([-1]), tried)[0])
        sets = self._watching.sets
        rows = np.flatnonzero((sets.tid == tid) & (sets.nr == number))
        if not len(rows):
            return UNKNOWN
        masks = _masks_of_sets(self._watching, rows, self._identity, self._sockets)
        known = np.ones(1, bool)
        return int(_decided(masks, known, sets.timeout[rows], tried)[0])

    def _open_epoll(self, tid: int, tgid: int, time: int) -> tuple[np.ndarray, np.ndarray]:
        epfd = self._epfds.get(tid)
        if epfd is None:  # it was in the call before it was traced
            mask = self._epoll.of_process(tgid)
            return np.array([mask]), np.array([mask != 0])
        return self._epoll.masks(self._identity, *(np.array([one]) for one in (tid, epfd, time)))

    def _reasons(
        self, calls: Calls, rows: np.ndarray, tried: np.ndarray, state: State
    ) -> np.ndarray:
        """Of some calls."""
        watching, identity = state[WatchedSetsStep], state[Identity]
        number, sets = calls.nr[rows], watching.set[rows]
        masks, known = np.zeros(len(rows), np.int64), sets >= 0
        used, code = np.unique(sets[known], return_inverse=True)
        if len(used):
            of_sets = _masks_of_sets(watching, used, identity, state[SocketStates])
            masks[known] = of_sets[code]
            masks = _being_connected(watching, calls, rows, masks, state)
            masks = _through_epoll(watching, calls, rows, masks, state)
        epoll = np.flatnonzero(_EPOLL[number])
        which = rows[epoll]
        masks[epoll], known[epoll] = state[EpollPurposes].masks(
            identity, calls.tid[which], calls.fd[which], calls.end[which]
        )
        # a select or a poll of nothing is a sleep, recorded or not
        nothing = _POLL[number] & (calls.arg[rows] == 0) | _SELECT[number] & (calls.fd[rows] == 0)
        timeout = np.where(known | ~nothing, watching.timeout[rows], 0)
        return _decided(masks, known | nothing, timeout, tried)

    def _last_tried(self, calls: Calls) -> np.ndarray:
        """int64[n]: before each call, what the thread's last transfer said."""
        tried = np.full(len(calls), _NOTHING)
        if not len(calls):
            return tried
        transfer = _TRANSFERS[calls.nr]
        says = np.where(_SEND[calls.nr] & (calls.result == -errno.EAGAIN), _NO_ROOM, _NOTHING)
        says[_CONNECT[calls.nr] & (calls.result == -errno.EINPROGRESS)] = _IN_PROGRESS
        if not self._tried and not says.any():
            return tried
        edge = np.append(True, calls.tid[1:] != calls.tid[:-1])
        first = np.flatnonzero(edge)
        place = np.where(transfer, np.arange(len(calls)), -1)
        last = np.maximum.accumulate(place)
        begin = np.repeat(first, np.diff(np.append(first, len(calls))))
        own = last >= begin
        before = np.array([self._tried.get(tid, _NOTHING) for tid in calls.tid[first].tolist()])
        tried = np.where(own, says[last], np.repeat(before, np.diff(np.append(first, len(calls)))))
        for row in (np.append(first[1:], len(calls)) - 1).tolist():
            if tried[row] != _NOTHING:
                self._tried[int(calls.tid[row])] = int(tried[row])
            else:
                self._tried.pop(int(calls.tid[row]), None)
        return tried

    def _note_epfds(self, calls: Calls) -> None:
        last = np.flatnonzero(np.append(calls.tid[1:] != calls.tid[:-1], True)[: len(calls)])
        self._epfds.update(zip(calls.tid[last].tolist(), calls.fd[last].tolist(), strict=True))


def _decided(
    masks: np.ndarray, known: np.ndarray, timeout: np.ndarray, tried: np.ndarray
) -> np.ndarray:
    """What is waited for with these masks; of nothing: for the time-out, or for a signal."""
    reasons = reason_of(masks)
    has_room, connects = (masks >> bit & 1 == 1 for bit in (SENDING, CONNECTIONS))
    reasons = np.where(has_room & (tried == _NO_ROOM), SENDING, reasons)
    reasons = np.where(connects & (tried == _IN_PROGRESS), CONNECTIONS, reasons)
    nothing = np.where(timeout == -1, SIGNALS, TIME)
    return np.where(~known, UNKNOWN, np.where(masks == 0, nothing, reasons))


def _masks_of_sets(
    watching: Watching, sets: np.ndarray, identity: Identity, sockets: SocketStates
) -> np.ndarray:
    """The masks of sets, as of the call that first watched each; what was not recorded is in them as unknown."""
    row, entries = watching.entries_of_sets(sets)
    table = watching.sets.take(sets)
    tid, time = table.tid[row], table.time[row]
    files = identity.files(tid, entries.fd, time)
    peer = identity.open_files(tid, entries.fd, time).peer
    no = np.zeros(len(row), bool)
    listens = sockets.listens(files, time)
    each = purposes(files.kind, entries.events, listens, no, peer >= 0)
    masks = np.where(table.is_whole, 0, 1 << UNKNOWN)
    np.bitwise_or.at(masks, row, each)
    return masks


def _being_connected(
    watching: Watching, calls: Calls, rows: np.ndarray, masks: np.ndarray, state: State
) -> np.ndarray:
    """Masks in which room on a socket whose connection is being made is a connection."""
    sockets, identity = state[SocketStates], state[Identity]
    which = np.flatnonzero(masks >> SENDING & 1 == 1)
    if not len(which) or not sockets.any_connects:
        return masks
    owner, entries = watching.entries_of(rows[which])
    out = np.flatnonzero(entries.events & _OUT != 0)
    owner, fds = which[owner[out]], entries.fd[out]
    tid, start = calls.tid[rows[owner]], calls.start[rows[owner]]
    connects = sockets.connects(identity.process_of(tid, start), fds, start)
    masks = masks.copy()
    masks[which] &= ~(1 << SENDING)
    np.bitwise_or.at(masks, owner, np.where(connects, 1 << CONNECTIONS, 1 << SENDING))
    return masks


def _through_epoll(
    watching: Watching, calls: Calls, rows: np.ndarray, masks: np.ndarray, state: State
) -> np.ndarray:
    """Masks in which an epoll descriptor stands for what that instance watches for."""
    identity = state[Identity]
    which = np.flatnonzero(masks >> INSTANCE & 1 == 1)
    if not len(which):
        return masks
    owner, entries = watching.entries_of(rows[which])
    owner = which[owner]
    tid = calls.tid[rows[owner]]
    kind = identity.files(tid, entries.fd, calls.start[rows[owner]]).kind
    nested = np.flatnonzero(kind == FileKind.EPOLL)
    owner, fds, tid = owner[nested], entries.fd[nested], tid[nested]
    inner, known = state[EpollPurposes].masks(identity, tid, fds, calls.end[rows[owner]])
    masks = masks.copy()
    masks[which] &= ~(1 << INSTANCE)
    np.bitwise_or.at(masks, owner, np.where(known, inner, 1 << UNKNOWN))
    return masks

"""How threads got on with each other, from waits on futexes and times on a CPU: mutual exclusion, synchronisation,
concurrent or parallel. None of it is an I/O model; a program may show several, or none."""

from __future__ import annotations

LEAST_SHARE = 0.05  # of the time observed: waits that make up less are not what the threads are about


def coordination(locks: list[dict], lanes: dict | None, observed_ns: int) -> list[dict]:
    """The report's `coordination`: `kind` and `evidence`, a sentence; first what took most of the time of the threads
    that computed, be it on a CPU or waiting.

    locks, lanes: the report's; observed_ns: how long threads were looked at, in which waits count or do not.
    """
    pairs = lanes["pairs"] if lanes else []
    computed = set(pairs[0]["tids"]) if pairs else set()
    found = []
    for kind in ("mutual exclusion", "synchronisation"):
        words = [word for word in locks if word["kind"] == kind]
        waited = sum(word["waited_ns"] for word in words)
        if waited >= LEAST_SHARE * observed_ns and waited:
            own = sum(pair["waited_ns"] for word in words for pair in word["between"] if pair["waiter"] in computed)
            found.append((own if computed else waited, {"kind": kind, "evidence": _of_locks(kind, words, waited)}))
    if pairs:
        overlap, possible = pairs[0]["overlap_ns"], pairs[0]["possible_ns"]
        handed_over = 0 < overlap < LEAST_SHARE * possible and any(own > possible for own, _ in found)
        found += [] if handed_over else [(possible, _of_lanes(pairs[0], lanes["threads"]))]
    return [entry for _, entry in sorted(found, key=lambda its: -its[0])]


def _of_locks(kind: str, words: list[dict], waited: int) -> str:
    waits = sum(word["waits"] for word in words)
    longest = max(word["longest_ns"] for word in words)
    pairs = [pair for word in words for pair in word["between"] if pair["waker"]]
    waiters, wakers = {pair["waiter"] for pair in pairs}, {pair["waker"] for pair in pairs}
    who = (f"{_threads(waiters)} waited, each until one that waits there too had released it" if kind ==
           "mutual exclusion" else f"{_threads(waiters)} waited for an event of {_threads(wakers)} that never waited there")
    where = "a futex word" if len(words) == 1 else f"{len(words)} futex words"
    return f"{who}: {waits} waits on {where}, {waited / 1e6:.1f} ms in all, the longest {longest / 1e6:.1f} ms"


def _of_lanes(pair: dict, threads: list[dict]) -> dict:
    """Of the two threads that computed most."""
    cpus = sorted({cpu for its in threads if its["tid"] in pair["tids"] for cpu in its["cpus"]})
    where = f"on CPU {cpus[0]}" if len(cpus) == 1 else f"on {len(cpus)} CPUs"
    both = " and ".join(map(str, pair["tids"]))
    if not pair["overlap_ns"]:
        return {"kind": "concurrent", "evidence": f"threads {both} ran {where}, in turns: never both at the same time"}
    share = pair["overlap_ns"] / pair["possible_ns"]
    return {"kind": "parallel", "evidence": f"threads {both} ran {where}, at the same time for "
            f"{pair['overlap_ns'] / 1e6:.1f} ms, {share:.0%} of the shorter one's time on a CPU"}


def _threads(tids: set[int]) -> str:
    return f"{len(tids)} thread" + ("" if len(tids) == 1 else "s")

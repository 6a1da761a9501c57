"""tracer/output/html: the page's policy, its escaping, and that holes in a report do not stop it."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from support.comparison_samples import KNOWN, compared
from support.pages import page_of
from support.report_samples import NAMES, sample

from tracer.output.html import comparison

VOID = {"meta", "input", "link", "br"}


class Parsed(HTMLParser):
    """Elements with their texts, and which are open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


def parsed(report: dict[str, Any]) -> Parsed:
    its = Parsed()
    its.feed(page_of(report))
    its.close()
    return its


def full(name: str, **changes: Any) -> dict[str, Any]:
    """A sample with the parts that are made on request."""
    report = sample(name, **changes)
    times = ("queued", "ask", "ready", "told", "copy_start", "copy_end", "done")
    names = ("index", "tid", "fd", "bytes", *(f"{time}_ns" for time in times))
    columns = {key: [op[key] for op in report["operations"]] for key in names}
    columns |= {key: [0] * len(columns["tid"]) for key in ("estimated", "waker", "sender")}
    report["operations_over_time"] = {
        "count": len(report["operations"]),
        "columns": columns,
        "descriptors": [{"tgid": 1, "fd": 3, "file": None, "from_ns": [1], "to_ns": [2]}],
        "more_descriptors": 0,
    }
    report["states_over_time"] = {
        "begin_ns": 0,
        "end_ns": 1000,
        "exact": True,
        "cell_ns": 0,
        "changes": 3,
        "threads": [
            {"tid": 1, "tgid": 1, "name": "x", "end_ns": 9, "at_ns": [0, 5], "states": [3, 0]}
        ],
        "more_threads": 0,
    }
    reasons = [{"what": "no data", "who": None, "ns": 9, "text": "nothing had come"}]
    report["slowest"] = [{"index": 3, "phases": {"wait": 9, "copy": 1}, "reasons": reasons}]
    return report


@pytest.mark.parametrize("name", NAMES)
def test_elements_are_balanced_and_nothing_is_loaded(name: str) -> None:
    its = parsed(full(name))
    assert its.open == []
    for tag, attributes in its.elements:
        assert "style" not in attributes, "the policy lets no style attribute count"
        assert not any(key.startswith("on") for key in attributes), attributes
        links = [attributes.get(key) or "#" for key in ("href", "src", "xlink:href")]
        assert all(link.startswith("#") for link in links), (tag, attributes)


def test_the_policy_names_every_script_and_style_and_no_host() -> None:
    its = parsed(full("posix-aio"))
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in its.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'" and "unsafe" not in policy and "http" not in policy
    texts = {"script-src": its.texts["script"][1:], "style-src": its.texts["style"]}
    for rule, inline in texts.items():
        hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in inline}
        assert {f"'sha256-{digest.decode()}'" for digest in hashes} == set(rules[rule].split())


def test_the_datas_text_cannot_end_its_element() -> None:
    report = full("blocking")
    report["states_over_time"]["threads"][0]["name"] = "</script><script>1</script><!--"
    its = parsed(report)
    assert len(its.texts["script"]) == 3
    told = json.loads(its.texts["script"][0])
    assert told["threads"][0]["name"] == "</script><script>1</script><!--"


def test_columns_are_what_a_browser_reads_as_typed_arrays() -> None:
    report = full("blocking", count=3)
    told = json.loads(parsed(report).texts["script"][0])
    asked = memoryview(base64.b64decode(told["operations"]["ask_ns"])).cast("d")
    assert asked.tolist() == [op["ask_ns"] for op in report["operations"]]
    descriptors = memoryview(base64.b64decode(told["operations"]["fd"])).cast("i")
    assert descriptors.tolist() == [3, 3, 3]


def test_the_page_says_where_the_machine_sleeps_and_what_the_sender_did() -> None:
    report = sample("blocking")
    report["host"]["idle_driver"] = "haltpoll"
    report["latency"] = {"traced": {"p50_ns": 5000}, "untraced": None}
    page = page_of(report)
    assert "idles by haltpoll" in page and "send to received: 5 µs traced" in page


def test_what_the_slowest_took_is_one_sentence_each() -> None:
    its = parsed(full("blocking"))
    (entry,) = [text for text in its.texts["li"] if "(wait" in text]
    assert "Nothing had come." in entry
    assert any(attributes.get("data-operation") == "3" for _, attributes in its.elements)


@pytest.mark.parametrize("seed", range(40))
def test_no_hole_in_a_report_stops_the_page(seed: int) -> None:
    chance = random.Random(seed)
    report = full(chance.choice(NAMES), count=chance.choice([1, 3]))
    for part in (*report["threads"], *report["syscalls"], report["ledger"], report["model"]):
        for key in [key for key in part if key not in ("name", "tid")]:
            if chance.random() < 0.1:
                part[key] = None
    report.pop(chance.choice(list(report)))
    assert parsed(report).open == []


def test_the_page_says_where_a_table_leaves_rows_out() -> None:
    report = full("blocking")
    report["syscalls"] = report["syscalls"][:1] * 250
    text = " ".join(parsed(report).texts["p"])
    assert "50 more calls are not in this table" in text
    assert re.search(r"\d", text)


def test_the_table_of_phases_parts_notice() -> None:
    report = sample("epoll-lt")
    report["phases"] |= {
        "waking": report["phases"]["notice"],
        "fetching": report["phases"]["notice"] | {"max_ns": 3_000_000},
    }
    table = page_of(report).partition("Each phase over all operations")[2].partition("</table>")[0]
    places = [
        table.index(word) for word in ("notice", "· waking", "· fetching", "3 ms", "receive call")
    ]
    assert places == sorted(places)


def test_what_tracing_did_to_latency_stands_beside_its_cost() -> None:
    parser = Parsed()
    parser.feed(page_of(sample("blocking")))
    said = " ".join(parser.texts["dd"])
    assert "61.2 µs untraced, 66 µs traced" in said
    assert "receiver's 800 ns after done, sender's 12.3 µs before ready" in said


def test_a_comparison_explains_its_columns_by_their_names_and_says_what_few_runs_can_tell() -> None:
    result = compared(*list(KNOWN)[:2]) | {"options": {"rounds": 3}, "rounds_needed": 9}
    page = "".join(comparison.page(result))
    heads, reading = (
        page.partition("<thead")[2].partition("</thead")[0],
        page.partition('id="reading"')[2],
    )
    titles = re.findall(r"<th[^>]*>([^<]+)<", heads)[1:]
    assert titles and titles == re.findall(r"<dt>([^<±]+)</dt>", reading)
    assert "--rounds 9 can." in page


def test_letters_grow_where_the_figure_is_made_smaller_and_there_alone() -> None:
    for name, grows in (("blocking", True), ("posix-aio", False)):
        page = page_of(full(name))
        drawn = page.partition('<section id="figure"')[2].partition("</section>")[0]
        assert ("figure wide" not in drawn) is grows and ("max-width:" in drawn) is grows

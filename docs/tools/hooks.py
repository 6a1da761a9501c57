"""What MkDocs does not do by itself: pages made from the command line and the JSON schemas, pages from outside docs/,
and links that lead out of docs/. MkDocs calls the functions whose names begin with `on_`."""

from __future__ import annotations

import html
import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Pages of the clone's top, by the name that they have in the site.
OUTSIDE = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
# What lets a browser search a site that it opened from a directory, by iframe-worker 1.0.4 (npm, MIT); Material's own
# plugin would have it loaded from this host.
SHIM = Path(__file__).with_name("vendor") / "iframe-worker.js"
_SHIM_HOST = "https://unpkg.com/iframe-worker/shim"
_SHIM_NAME = "assets/javascripts/iframe-worker.js"
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
_MADE = re.compile(r"<!-- made: (?P<what>commands|schemas) -->")


def on_config(config: Any) -> Any:
    """A page that mkdocs.yml has no place for stands at the end of the reference: found by being there."""
    listed = set(_listed(config.nav))
    docs = Path(config.docs_dir)
    others = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")} - listed
    for section in config.nav:
        if isinstance(section, dict) and "Reference" in section:
            section["Reference"] += sorted(others)
    return config


def _listed(nav: Any) -> Iterator[str]:
    """The pages of a navigation, however deep."""
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _listed(each)


def on_files(files: Any, config: Any) -> Any:
    """The pages of the clone's top, as if they lay in docs/."""
    from mkdocs.structure.files import File

    for name, path in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, _SHIM_NAME, abs_src_path=str(SHIM)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page as MkDocs is to see it."""
    source = page.file.src_uri
    made = _MADE.sub(lambda match: "\n".join(_MAKERS[match["what"]]()), markdown)
    linked = _LINK.sub(lambda match: f"]({_target(source, match[1], files)}{match[2] or ''})", made)
    return re.sub(r"\[([^]]*)\]\(outside:\)", r"`\1`", linked)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page with nothing from another host in it."""
    above = "../" * page.url.count("/")
    return output.replace(_SHIM_HOST, f"{above}{_SHIM_NAME}")


def on_post_template(output: str, template_name: str, config: Any) -> str:
    """The same of pages that no source is of (404)."""
    return output.replace(_SHIM_HOST, f"/{_SHIM_NAME}")


def _target(source: str, link: str, files: Any) -> str:
    """A link of a page as it has to be in the site; `outside:` where it leads to what is not in it."""
    place = Path(OUTSIDE.get(source, f"docs/{source}")).parent
    path = posixpath.normpath(posixpath.join(place.as_posix(), link))
    inside = {path: name for name, path in OUTSIDE.items()}
    name = inside.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else "")
    if path == "README.md":
        name = "index.md"
    if name and files.get_file_from_path(name):
        return posixpath.relpath(name, posixpath.dirname(source) or ".")
    return link if path.startswith("docs/") or not (ROOT / path).exists() else "outside:"


# pages that are made


def commands() -> Iterator[str]:
    """Every command: how it is called, its options, its exit statuses."""
    sys.path.insert(0, str(ROOT))  # here: MkDocs takes it back after it has read this file
    from tracer.cli import manual
    from tracer.cli.main import main

    for page in manual.pages(main):
        yield f"\n{'##' if len(page.path) < 3 else '###'} {' '.join(page.path)}\n"
        yield f"```text\n{' '.join(page.path)} {page.usage}\n```\n"
        for block in (*page.description, *page.epilog):
            yield f"```text\n{block.text}\n```\n" if block.verbatim else f"{_text(block.text)}\n"
        yield from _table("command", page.commands)
        yield from _table("option", page.options)
        if len(page.path) == 1 or page.path[-1] == "trace":
            yield from _table("exit status", page.statuses)


def _table(head: str, entries: Any) -> Iterator[str]:
    if entries:
        yield f"| {head} | |\n|---|---|"
        yield from (f"| `{_cell(entry.term)}` | {_cell(_text(entry.text))} |" for entry in entries)
        yield ""


def _text(text: str) -> str:
    """Of --help, as Markdown: words like <this> are no HTML. Nothing is between backticks but code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else html.escape(part, False) for part in parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def schemas() -> Iterator[str]:
    """Every schema that there is."""
    for path in sorted((ROOT / "docs" / "schema").glob("*.schema.json")):
        yield from schema(path.name.removesuffix(".schema.json"), json.loads(path.read_text()))


def schema(name: str, described: dict[str, Any]) -> Iterator[str]:
    """Every object of a JSON schema: its keys, and what their values are."""
    title = html.escape(described.get("title", name), False)
    yield f"\n## {title}\n"
    yield from _keys(described, name)
    for each, definition in sorted(described.get("$defs", {}).items()):
        yield f"\n### {name}: {each} {{ #{name}-{each.lower()} }}\n"
        if definition.get("properties"):
            yield from _keys(definition, name)
        else:
            yield f"{_type(definition, name)}\n"


def _keys(definition: dict[str, Any], name: str) -> Iterator[str]:
    yield "| key | value | |\n|---|---|---|"
    required = definition.get("required", [])
    for key, value in definition.get("properties", {}).items():
        optional = "" if key in required else "may be missing"
        said = " ".join(filter(None, (optional, value.get("description", ""))))
        yield f"| `{key}` | {_cell(_type(value, name))} | {_cell(said)} |"
    yield ""


def _type(value: Any, name: str) -> str:
    """What a value is, in words; objects that have a name link to it."""
    if "$ref" in value:
        each = value["$ref"].rpartition("/")[2]
        return f"[{each}](#{name}-{each.lower()})"
    if "anyOf" in value or "oneOf" in value:
        return " or ".join(_type(one, name) for one in value.get("anyOf") or value["oneOf"])
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kinds = value.get("type", "anything")
    kind = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "items" in value:
        return f"{kind} of {_type(value['items'], name)}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"{kind} of {_type(value['additionalProperties'], name)} by name"
    return str(kind)


_MAKERS = {"commands": commands, "schemas": schemas}

"""How a page begins: its title, its styles, and the policy by which it may run what is in it and load nothing."""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from collections.abc import Sequence

from tracer.output.html.elements import el, html


def opening(title: str, styles: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """Up to the body, with the first of the styles. styles, scripts: all that stand anywhere in the page."""
    runs = (f"script-src {' '.join(map(_hashed, scripts))}",) if scripts else ()
    policy = "; ".join(
        (
            "default-src 'none'",
            *runs,
            f"style-src {' '.join(map(_hashed, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            html(el("meta", http_equiv="Content-Security-Policy", content=policy)),
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            html(el("title", f"iotrace: {title}")),
            f"<style>{styles[0]}</style></head><body>",
        )
    )


def asset(name: str) -> str:
    """A file of this package."""
    return (pkgutil.get_data(__package__ or "", name) or b"").decode("utf-8")


def _hashed(text: str) -> str:
    """The source expression of a Content-Security-Policy for an inline element with this text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

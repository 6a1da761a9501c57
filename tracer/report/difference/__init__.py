"""Two recordings, or two sets of them, side by side: what differs, and what that rests on (docs/diff.md)."""

"""A recording → the report: the dict that --json prints and every output reads (docs/json.md)."""

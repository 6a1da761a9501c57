"""A recording as tables for those who calculate: Arrow in Python, Parquet in files (docs/export.md)."""

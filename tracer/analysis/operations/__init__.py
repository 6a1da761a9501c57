"""The operations: receives that brought data, with the boundaries of docs/model.md."""

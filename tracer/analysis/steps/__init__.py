"""The interface of a step of the pass over a recording; no step itself."""

"""The rules of the analysis in plain scalar Python, record by record: what the tests compare the arrays with."""

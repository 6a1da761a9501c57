"""The figure that outputs draw: a report's steps as rows of two columns, for the terminal and for pictures."""

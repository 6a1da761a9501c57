"""What the steps of the pass over a recording are, and what they ask of one another: nothing of what they find."""

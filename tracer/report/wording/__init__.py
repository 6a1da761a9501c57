"""All prose of verdicts and advice: facts become sentences here, and nowhere else."""

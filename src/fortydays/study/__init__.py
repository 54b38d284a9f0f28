"""Studies: variants, claims, statistics, evidence, and how trials are run.

Who owns what: ``design`` is what a day writes down; ``claims`` and ``statistics`` turn numbers into verdicts, as pure
functions; ``runs`` is the folder a run keeps its state in; ``runner`` trains the trials; ``evidence`` is the document
that says what they showed; ``exhibits`` are the pictures in it.
"""

"""Studies: variants, claims, statistics, evidence, and how trials are run.

Who owns what: ``design`` is what a day writes down; ``claims`` and ``statistics`` turn numbers into verdicts, as pure
functions; ``search`` chooses a setting; ``trial`` trains and measures one trial; ``runs`` is the folder a run keeps
its state in and ``runner`` works on it; ``evidence`` is the document that says what the trials showed, ``exhibits``
are the pictures in it, and ``verification`` asks whether it is still true.
"""

"""The experiment tracker (MLflow): shows runs there, never in their way.

The folder of a run is the source of truth; the tracker holds a copy of it. Who owns what: ``store`` is where the copy
lives and how it is opened; ``mirror`` brings the copy of one run up to date; ``record`` remembers what has been sent;
``database`` knows the file of a store; ``curves`` draws the learning curves. ``sender`` is the process that mirrors a
run while it is being trained, ``listener`` starts it, ``sync`` catches up afterwards, and ``page`` shows the tracker's
own page. No other room imports MLflow.
"""

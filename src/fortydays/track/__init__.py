"""The experiment tracker (MLflow): shows runs there, never in their way.

The folder of a run is the source of truth; MLflow holds a copy of it. ``sync`` brings the copy of one run up to date,
``content`` says what is in it, and ``record`` remembers how that went. ``follower`` is the process that syncs a run
while it is being trained. ``store`` is where the copy lives and how it is opened, ``database`` knows the file of a
store, and ``page`` shows MLflow's own page. No other room imports MLflow, but ``registry``.
"""

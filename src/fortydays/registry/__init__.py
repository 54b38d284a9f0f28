"""Model versions: what each is made of, the gates in front of its aliases, and the bundle that a service loads.

A *version* is a folder of files (:mod:`~fortydays.registry.package`) that MLflow's registry keeps under a name and a
number. Who owns what: ``names`` is how versions are called; ``candidate`` finds the trial that becomes one; ``export``
turns its model into ONNX, in a process of its own; ``inference`` runs such a model; ``lineage`` says what a version is
made of; ``evaluation`` measures it on validation data and ``gates`` judges that; ``card`` describes it;
``registry`` is MLflow's registry, with its locks and its history; ``registration``, ``promotion`` and
``reproduction`` are what a reader does with versions, and ``bundle`` is what leaves for a service.
"""

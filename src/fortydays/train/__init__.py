"""The engine: how one variant is trained with one seed.

Who owns what: ``recipe`` is the description of a training run; ``schedule``, ``order``, ``stopping`` and ``history``
are its pure parts; ``checkpoint`` is the state on disk; ``framework`` loads Keras and builds models, losses and
optimizers; ``checks`` refuses what does not fit the data; ``substitutes`` computes some layers faster; ``backends``
compile the epoch, ``evaluation`` measures a split, and ``trainer`` puts them together.
The engine is given :class:`~fortydays.data.arrays.TrainingData` and so cannot reach test examples.
"""

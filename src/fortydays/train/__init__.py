"""The engine: how one variant is trained with one seed.

Who owns what: ``recipe`` is the description of a training run; ``schedule``, ``stopping`` and ``history`` are its
pure parts; ``checkpoint`` is the state on disk; ``network`` builds Keras models and optimizers for it;
``compiled_epoch`` is the fast loop and ``keras_fit`` the reference loop; ``trainer`` puts them together.
The engine is given :class:`~fortydays.data.arrays.TrainingData` and so cannot reach test examples.
"""

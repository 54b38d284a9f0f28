"""Model builders that more than one day uses, in plain Keras."""

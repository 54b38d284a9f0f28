"""A search over several recipe fields: candidates proposed by Optuna, judged on the validation split alone."""

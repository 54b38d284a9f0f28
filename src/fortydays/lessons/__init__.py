"""The lessons: one folder for each day that is written, with the notes to read and the study to run.

They stand at the top of the house and may import any room. No room imports them: :mod:`fortydays.days` finds and loads
them by name.
"""

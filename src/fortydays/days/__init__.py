"""The forty days by name, and how the study of one, or of a file of the reader's own, is found and loaded.

What a day teaches is in :mod:`fortydays.lessons`. Nothing in the program knows a day's content: the other rooms are
given the :class:`~fortydays.study` that a day's ``study.py`` describes.
"""
